// SPDX-License-Identifier: Apache-2.0
// Every shipped MAC unit against its second model: random chains of blocks with short last blocks,
// bit for bit. NPUSIM_RANDOM_CASES in the environment asks for more cases than the default.
#include "unit_models.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "dot_operands.h"
#include "npu_models/npu_file.h"
#include "oracle.h"
#include "precision/mac_chain.h"
#include "tests/source_dir.h"

namespace npusim::precision::model {
namespace {

std::string folder() {
  return test::source_dir() + "/configs/mac_units/";
}

std::vector<std::string> shipped_units() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder()))
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// Terms that the unit takes in one step or group.
std::int64_t block_of(const MacUnit& unit) {
  std::int64_t block = unit.block_terms();
  if (unit.scales) block = std::max(block, unit.scales->block);
  return std::max<std::int64_t>(block, 2);
}

double by_definition(const MacUnit& unit, const Dot& dot) {
  RandomSequence random{dot.key, 0};
  const Operands operands{dot.a.data(), dot.b.data(), static_cast<std::int64_t>(dot.a.size()),
                          unit.scales ? dot.a_scales.data() : nullptr,
                          unit.scales ? dot.b_scales.data() : nullptr};
  return mac_chain(unit, operands, dot.c, random);
}

std::string text_of(const Dot& dot) {
  std::ostringstream text;
  text << std::hexfloat << "c " << dot.c;
  for (std::size_t i = 0; i < dot.a.size(); ++i) {
    text << "\n" << i << ": " << dot.a[i] << " * " << dot.b[i];
    if (!dot.a_scales.empty()) text << "  scales " << dot.a_scales[i] << ", " << dot.b_scales[i];
  }
  return text.str();
}

int cases() {
  const char* asked = std::getenv("NPUSIM_RANDOM_CASES");
  return asked == nullptr ? 3300 : std::atoi(asked);
}

/// Blocks 1 to 5, every second case with a short last one; fewer cases where blocks are long.
void compare(const std::string& name) {
  const auto model = unit_models().find(name);
  ASSERT_NE(model, unit_models().end()) << name << " has no second model";
  const MacUnit unit = npu::load_mac_unit(folder() + name + ".json");
  const std::int64_t block = block_of(unit);
  const int count = cases() * (unit.is_stochastic() ? 4 : 1);  // a random bit decides rarely
  int different = 0;
  for (int i = 0; i < count && different < 3; ++i) {
    const std::int64_t blocks = 1 + i / kRegimes % 5;
    const std::int64_t cut =
        i / (5 * kRegimes) % 2 == 0 ? 0 : 1 + i / (10 * kRegimes) % (block - 1);
    const auto regime = static_cast<Regime>(i % kRegimes);
    const Dot dot = random_dot(unit, static_cast<std::size_t>(blocks * block - cut), regime,
                               static_cast<std::uint64_t>(i));
    const double want = model->second(dot), got = by_definition(unit, dot);
    if (oracle::same(got, want)) continue;
    ++different;
    ADD_FAILURE() << name << ", case " << i << " (" << name_of(regime) << "), " << std::hexfloat
                  << "unit " << got << ", model " << want << "\n"
                  << text_of(dot);
  }
}

void compare_all(const std::string& prefix) {
  int compared = 0;
  for (const std::string& name : shipped_units())
    if (name.rfind(prefix, 0) == 0) {
      compare(name);
      ++compared;
    }
  EXPECT_GT(compared, 0);
}

TEST(UnitModels, EveryShippedUnitHasOneAndEveryModelAUnit) {
  std::vector<std::string> modelled;
  for (const auto& model : unit_models()) modelled.push_back(model.first);
  EXPECT_EQ(modelled, shipped_units());
}

TEST(UnitModels, NvidiaUnitsAreTheirModelsBitForBit) {
  compare_all("nvidia_");
}

TEST(UnitModels, AmdUnitsAreTheirModelsBitForBit) {
  compare_all("amd_");
}

TEST(UnitModels, AllOtherUnitsAreTheirModelsBitForBit) {
  for (const std::string& name : shipped_units())
    if (name.rfind("nvidia_", 0) != 0 && name.rfind("amd_", 0) != 0) compare(name);
}

TEST(UnitModels, OperandsWiderThanTf32LoseTheirLowBits) {
  for (const std::string& name : shipped_units()) {
    const MacUnit unit = npu::load_mac_unit(folder() + name + ".json");
    EXPECT_EQ(unit.input_rounding, unit.a.name == "tf32" ? Rounding::rtz : Rounding::rne) << name;
  }
}

}  // namespace
}  // namespace npusim::precision::model
