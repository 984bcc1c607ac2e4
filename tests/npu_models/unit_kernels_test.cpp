// SPDX-License-Identifier: Apache-2.0
// Every shipped MAC unit: the fast product has the bits of the scalar definition, on every SIMD
// path, for ordinary and special operands, scales, bias, chunks and shapes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "npu_models/npu_file.h"
#include "precision/gemm.h"
#include "tests/precision/simd_path.h"
#include "tests/precision/units.h"
#include "tests/source_dir.h"

namespace npusim::npu {
namespace {

using precision::MacUnit;

constexpr precision::RandomKey kKey{5, 6};

std::vector<std::string> shipped_units() {
  std::vector<std::string> names;
  const std::filesystem::path folder = test::source_dir() + "/configs/mac_units";
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// Rows of values, with the scale of each if there are any.
class ScaledRows final : public precision::OperandRows {
 public:
  ScaledRows(const std::vector<double>& values, const std::vector<double>& scales, std::int64_t k)
      : values_(values), scales_(scales), k_(k) {}
  std::int64_t rows() const override { return static_cast<std::int64_t>(values_.size()) / k_; }
  void read(std::int64_t row, double* to) const override {
    std::copy_n(values_.begin() + row * k_, k_, to);
  }
  bool has_scales() const override { return !scales_.empty(); }
  void read_scales(std::int64_t row, double* to) const override {
    std::copy_n(scales_.begin() + row * k_, k_, to);
  }

 private:
  const std::vector<double>& values_;
  const std::vector<double>& scales_;
  std::int64_t k_;
};

struct Product {
  const MacUnit& unit;
  std::int64_t rows, columns;
  precision::ReductionPlan plan;
  std::vector<double> a, b, a_scales, b_scales, bias;

  Product(const MacUnit& unit_of, std::int64_t rows_of, std::int64_t columns_of, std::int64_t k,
          std::uint64_t seed, bool special)
      : unit(unit_of), rows(rows_of), columns(columns_of) {
    precision::units::Random random(seed);
    plan.dims = {{"K", k}};
    const double spread = seed % 2 == 0 ? 3.0 : 9.0;
    const auto values = [&](std::int64_t count, const precision::Format& format) {
      std::vector<double> made =
          special ? random.special(count, format, spread) : random.values(count, format, spread);
      for (double& x : made) x = precision::round_to(x, format, precision::Rounding::rne);
      return made;
    };
    a = values(rows * k, unit.a);
    b = values(columns * k, unit.b);
    bias = values(rows + columns, unit.c_format());
    if (unit.scales) {
      a_scales = scales(random, rows, k, special);
      b_scales = scales(random, columns, k, special);
    }
  }

  /// One a block of K, as hardware has them.
  std::vector<double> scales(precision::units::Random& random, std::int64_t count, std::int64_t k,
                             bool special) const {
    const precision::Format& format = unit.scales->format;
    std::vector<double> made;
    for (std::int64_t r = 0; r < count; ++r) {
      double scale = 1.0;
      for (std::int64_t i = 0; i < k; ++i) {
        if (i % unit.scales->block == 0)
          scale = precision::round_to(std::ldexp(1.0 + random.uniform(), random.below(9) - 4),
                                      format, precision::Rounding::rne);
        if (special && i % unit.scales->block == 0 && random.below(12) == 0)
          scale = precision::round_to(std::nan(""), format, precision::Rounding::rne);
        made.push_back(scale);
      }
    }
    return made;
  }

  std::vector<double> fast() const {
    const std::int64_t k = plan.terms();
    std::vector<double> out(static_cast<std::size_t>(rows * columns));
    precision::MatrixOutput output(out.data(), columns);
    precision::emulated_gemm(unit, plan, ScaledRows(a, a_scales, k), ScaledRows(b, b_scales, k),
                             {precision::Bias::Axis::by_column, bias.data()}, output,
                             precision::serial(), kKey);
    return out;
  }

  double scalar(std::int64_t i, std::int64_t j) const {
    const std::int64_t k = plan.terms();
    const auto at = [k](const std::vector<double>& values, std::int64_t row) {
      return values.empty() ? nullptr : values.data() + row * k;
    };
    const precision::Operands operands{at(a, i), at(b, j), k, at(a_scales, i), at(b_scales, j)};
    return precision::planned_dot(
        unit, plan, operands, &bias[static_cast<std::size_t>(j)],
        precision::derived_key(kKey, static_cast<std::uint64_t>(i * columns + j)));
  }
};

void expect_scalar_bits(const Product& product, const std::string& where) {
  const std::vector<double> got = product.fast();
  for (std::int64_t i = 0; i < product.rows; ++i) {
    for (std::int64_t j = 0; j < product.columns; ++j) {
      const double x = got[static_cast<std::size_t>(i * product.columns + j)];
      const double want = product.scalar(i, j);
      const bool same = (std::isnan(x) && std::isnan(want)) ||
                        (x == want && std::signbit(x) == std::signbit(want));
      ASSERT_TRUE(same) << where << " at " << i << ", " << j << std::hexfloat << ": got " << x
                        << ", want " << want;
    }
  }
}

class UnitKernels : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Shipped, UnitKernels, testing::ValuesIn(shipped_units()),
                         [](const auto& name) { return name.param; });

TEST_P(UnitKernels, GiveTheBitsOfTheDefinition) {
  const MacUnit unit =
      load_mac_unit(test::source_dir() + "/configs/mac_units/" + GetParam() + ".json");
  for (const std::string& path : precision::simd_paths()) {
    const precision::ForcedSimd forced(path.c_str());
    std::uint64_t seed = 0;
    for (const bool special : {false, true}) {
      expect_scalar_bits({unit, 3, 35, 70, ++seed, special}, path);
      expect_scalar_bits({unit, 9, 2, 33, ++seed, special}, path);
      Product chunked(unit, 2, 5, 3 * unit.block_terms() + 1, ++seed, special);
      chunked.plan.chunks = {{unit.block_terms(),
                              precision::Chunk::Join::add,
                              {precision::fp32(), precision::Rounding::rne}}};
      chunked.plan.bias = precision::BiasEntry::after;
      expect_scalar_bits(chunked, path + " in chunks");
    }
  }
}

}  // namespace
}  // namespace npusim::npu
