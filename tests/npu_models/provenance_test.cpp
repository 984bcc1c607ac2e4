// SPDX-License-Identifier: Apache-2.0
// Sources of the numbers in NPU files: each has one, facts of a parent do not vouch for values of
// its child, and what vendors publish follows from the geometry.
#include "npu_models/provenance.h"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "npu_models/npu_file.h"
#include "support.h"
#include "tests/source_dir.h"

namespace npusim::npu {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kSystolic = testing::shipped_npu("systolic128_bf16");

std::vector<std::string> shipped() {
  std::vector<std::string> files;
  const std::string folder = test::source_dir() + "/configs/npus";
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path().string());
  return files;
}

std::string extension_of_shipped(const std::string& text) {
  const std::string path = testing::edited_copy(kSystolic, {});
  std::ofstream(path) << R"({"schema_version": 1, "kind": "npu", "extends": ")" << kSystolic
                      << "\", " << text << "}";
  return path;
}

TEST(Provenance, ANumberWithoutASourceIsRefusedInItsPlace) {
  const auto mistakes = testing::mistakes_of_npu(
      testing::edited_copy(kSystolic, {{"\"/launch_cycles\"", "\"/dram/gib\""}}));
  ASSERT_EQ(mistakes.size(), 1U);
  EXPECT_EQ(mistakes[0].code, "no-source");
  EXPECT_EQ(mistakes[0].pointer, "/launch_cycles");
  EXPECT_GT(mistakes[0].line, 1);
}

TEST(Provenance, AGroupOfOperatorsNeedsASource) {
  const auto mistakes = testing::mistakes_of_npu(
      testing::edited_copy(kSystolic, {{"\"/operators/groups\"", "\"/operators/groups/vector\""}}));
  std::vector<std::string> pointers;
  for (const auto& mistake : mistakes) pointers.push_back(mistake.pointer);
  EXPECT_THAT(pointers, ::testing::Contains("/operators/groups/matrix"));
  EXPECT_THAT(pointers, Not(::testing::Contains("/operators/groups/vector")));
}

TEST(Provenance, FactsAboutNothingAreRefused) {
  const auto mistakes = testing::mistakes_of_npu(testing::edited_copy(
      kSystolic, {{"\"sources\": {",
                   "\"sources\": {\"/no/such\": {\"status\": \"assumed\", \"source\": "
                   "\"x\"},"}}));
  ASSERT_EQ(mistakes.size(), 1U);
  EXPECT_EQ(mistakes[0].code, "idle-source");
}

TEST(Provenance, OnlyDerivedFiguresHaveAFormulaAndTheyMust) {
  for (const char* fact : {R"("/dram/gib": {"status": "derived", "source": "x"})",
                           R"("/dram/gib": {"status": "published", "source": "x", "formula": "y"})",
                           R"("/dram/gib": {"status": "recalled", "source": "x"})",
                           R"("/dram/gib": {"status": "published", "source": ""})",
                           R"("/dram/gib": {"status": "published"})"}) {
    const auto mistakes = testing::mistakes_of_npu(testing::edited_copy(
        kSystolic, {{"\"sources\": {", std::string("\"sources\": {") + fact + ","}}));
    EXPECT_EQ(mistakes.size(), 1U) << fact;
  }
}

// The parent's source stated the parent's value.
TEST(Provenance, AnExtendingFileBringsTheSourcesOfItsValues) {
  const auto without =
      testing::mistakes_of_npu(extension_of_shipped(R"("dram": {"bandwidth_gb_per_s": 100})"));
  ASSERT_EQ(without.size(), 1U);
  EXPECT_EQ(without[0].pointer, "/dram/bandwidth_gb_per_s");
  const std::string fact =
      R"("dram": {"bandwidth_gb_per_s": 100}, "sources": {"": {"status": "assumed", "source": "half"}})";
  const NpuSpec npu = load_npu(extension_of_shipped(fact));
  int halves = 0;
  for (const SourcedValue& value : sourced_values(npu.resolved, npu.facts)) {
    ASSERT_NE(value.fact, nullptr) << value.pointer;
    if (value.fact->source == "half") ++halves;
  }
  EXPECT_EQ(halves, 1);  // all others keep the parent's nearer facts
}

TEST(Provenance, SettingsNeedNoSource) {
  const NpuSpec npu = testing::load_shipped("systolic128_bf16", {"clock_mhz=500"});
  for (const SourcedValue& value : sourced_values(npu.resolved, npu.facts))
    EXPECT_EQ(value.overridden, value.pointer == "/clock_mhz") << value.pointer;
}

TEST(Provenance, NothingFromMemoryIsShippedAsPublished) {
  for (const std::string& file : shipped()) {
    const NpuSpec npu = load_npu(file);
    for (const Fact& fact : npu.facts) {
      if (fact.status == FactStatus::assumed) continue;
      // A table of operators may say why what it lacks is unknown.
      if (fact.pointer.rfind("/operators", 0) == 0) continue;
      for (const char* word : {"recall", "from memory", "unknown", "not public", "assum"})
        EXPECT_THAT(fact.source, Not(HasSubstr(word))) << npu.name << " " << fact.pointer;
    }
  }
}

// 2 x products a cycle x clock, held against the vendor's figure.
TEST(Provenance, PublishedPeaksFollowFromGeometryAndClock) {
  int compared = 0, explained = 0;
  for (const std::string& file : shipped()) {
    const NpuSpec npu = load_npu(file);
    for (const auto& [name, peak] : npu.peaks) {
      const double computed =
          2e-6 * npu.peak_macs_per_cycle(precision::format_from_name(name)) * npu.clock_mhz;
      const bool near = std::abs(computed / peak.tops - 1.0) <= 0.05;
      EXPECT_EQ(near, peak.explained.empty())
          << npu.name << " " << name << ": " << computed << ", published " << peak.tops;
      ++compared;
      if (!near) ++explained;
    }
  }
  EXPECT_GE(compared, 60);
  EXPECT_LE(explained, 12);
}

TEST(Provenance, PeaksAreCheckedAsWritten) {
  const NpuSpec npu = testing::load_shipped("systolic128_bf16", {"mac_array.rows=64"});
  const double computed = 2e-6 * npu.peak_macs_per_cycle(precision::bf16()) * npu.clock_mhz;
  EXPECT_GT(std::abs(computed / npu.peaks.at("bf16").tops - 1.0), 0.4);
}

}  // namespace
}  // namespace npusim::npu
