// SPDX-License-Identifier: Apache-2.0
#include "precision/block_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <stdexcept>

#include "integer_reference.h"
#include "oracle.h"
#include "precision/block_quantize.h"
#include "precision/block_rows.h"
#include "precision/encoding.h"
#include "units.h"

namespace npusim::precision {
namespace {

using integer_reference::Reference;
using testing::ElementsAre;

const double kNan = std::nan("");

struct Row {
  std::vector<double> elements, scales, values;
};

Row quantized(const BlockFormat& format, const std::vector<double>& row,
              const ElementRounding& rounding = {}) {
  const auto terms = static_cast<std::int64_t>(row.size());
  Row out{std::vector<double>(row.size()),
          std::vector<double>(static_cast<std::size_t>(format.blocks(terms))),
          std::vector<double>(row.size())};
  const double tensor = tensor_scale_of(format, finite_amax(row.data(), terms));
  quantize_row(format, row.data(), terms, tensor, rounding, 0, out.elements.data(),
               out.scales.data());
  dequantize_row(format, out.elements.data(), out.scales.data(), terms, tensor, out.values.data());
  return out;
}

Row quantized(const char* format, const std::vector<double>& row) {
  return quantized(block_format_from_name(format), row);
}

const char* const kMany[] = {"mxfp8_e4m3",
                             "mxfp8_e5m2",
                             "mxfp6_e3m2",
                             "mxfp6_e2m3",
                             "mxfp4",
                             "mxint8",
                             "nvfp4",
                             "bfp16m8",
                             "bfp8m4",
                             "bfp64m12",
                             "int8_tensor",
                             "int8_channel",
                             "int4_block32",
                             "int8_block128_fp16",
                             "int4_channel_e8m0",
                             "fp8_e4m3_block128",
                             "fp8_e5m2_tensor",
                             "int8_block64_bf16"};

// --- An oracle of scales and elements: the rational comparison x >= m * d for every number m of
// the target format and every point halfway, in products that binary64 holds exactly.

std::size_t position(double x, double d, const std::vector<double>& magnitudes, bool& exact) {
  const auto above = std::partition_point(magnitudes.begin(), magnitudes.end() - 1,
                                          [&](double m) { return m * d <= x; });
  const auto index = static_cast<std::size_t>(above - magnitudes.begin()) - 1;
  const double middle = (magnitudes[index] + magnitudes[index + 1]) / 2.0;
  const bool upper = x >= middle * d;
  exact = x == (upper ? middle : magnitudes[index]) * d;
  return 2 * index + (upper ? 1 : 0);
}

/// x / d to one of the magnitudes (the last stands for "beyond": saturates).
double nearest(double x, double d, const std::vector<double>& magnitudes) {
  bool exact = false;
  const std::size_t at = position(x, d, magnitudes, exact);
  std::size_t index = at / 2;
  if (at % 2 == 1 && !(exact && index % 2 == 0)) ++index;
  return magnitudes[std::min(index, magnitudes.size() - 2)];
}

double directed(double x, double d, const std::vector<double>& magnitudes, bool up) {
  bool exact = false;
  const std::size_t at = position(x, d, magnitudes, exact);
  const std::size_t index = at / 2 + (up && !(at % 2 == 0 && exact) ? 1 : 0);
  return magnitudes[std::min(index, magnitudes.size() - 2)];
}

double expected_scale(const BlockFormat& format, double amax, double tensor) {
  const double target = format.target == ScaleTarget::binade
                            ? std::exp2(std::floor(std::log2(format.element.max_finite())))
                            : format.element.max_finite();
  if (*format.scale == format_from_name("fp32") || format.scale->name == "fp32") {
    EXPECT_EQ(tensor, 1.0);  // one correctly rounded division of the host
    return static_cast<double>(static_cast<float>(amax) / static_cast<float>(target));
  }
  static std::map<std::string, std::vector<double>> tables;
  std::vector<double>& scales = tables[format.scale->name];
  if (scales.empty()) scales = Reference(*format.scale).magnitudes(false);
  if (format.scale->is_scale() && amax < scales.front() * target * tensor) return scales.front();
  switch (format.scale_rounding) {
    case ScaleRounding::floor:
      return directed(amax, target * tensor, scales, false);
    case ScaleRounding::ceil:
      return directed(amax, target * tensor, scales, true);
    case ScaleRounding::rne:
      return nearest(amax, target * tensor, scales);
  }
  return 0.0;
}

double expected_tensor_scale(const BlockFormat& format, double amax) {
  if (!format.tensor_scale || amax == 0.0) return 1.0;
  const double largest =
      format.element.max_finite() * (format.scale ? format.scale->max_finite() : 1.0);
  return static_cast<double>(static_cast<float>(amax) / static_cast<float>(largest));
}

std::vector<double> row_of(units::Random& random, std::int64_t terms) {
  const double spread = 1.0 + random.below(20);
  std::vector<double> row = random.values(terms, bf16(), spread);
  const double scale = std::ldexp(1.0, random.below(60) - 30);
  for (double& x : row) x *= scale;
  for (std::int64_t i = 0; i < terms / 8; ++i)
    row[static_cast<std::size_t>(random.below(static_cast<int>(terms)))] = 0.0;
  return row;
}

TEST(BlockFormat, RandomRowsAgreeWithRationalComparisons) {
  units::Random random(5);
  for (const char* name : kMany) {
    for (const ScaleRounding scale_rounding :
         {ScaleRounding::floor, ScaleRounding::ceil, ScaleRounding::rne}) {
      BlockFormat format = block_format_from_name(name);
      const bool fp32_scale = format.scale && format.scale->name == "fp32";
      if (fp32_scale || !format.scale) {
        if (scale_rounding != ScaleRounding::rne) continue;
      }
      format.scale_rounding = scale_rounding;
      const std::vector<double> magnitudes = Reference(format.element).magnitudes(false);
      const int rows = magnitudes.size() > 1000 ? 3 : 20;
      for (int i = 0; i < rows; ++i) {
        const std::vector<double> row = row_of(random, 2 + random.below(150));
        const auto terms = static_cast<std::int64_t>(row.size());
        const Row got = quantized(format, row);
        const double tensor = expected_tensor_scale(format, finite_amax(row.data(), terms));
        for (std::size_t k = 0; k < row.size(); ++k) {
          const std::size_t block = format.block == BlockFormat::kWholeRow
                                        ? 0
                                        : k / static_cast<std::size_t>(format.block);
          const std::size_t first = block * static_cast<std::size_t>(format.block);
          const std::size_t last =
              format.block == BlockFormat::kWholeRow
                  ? row.size()
                  : std::min(row.size(), first + static_cast<std::size_t>(format.block));
          double amax = 0.0;
          for (std::size_t j = first; j < last; ++j) amax = std::max(amax, std::fabs(row[j]));
          const double scale = format.scale ? expected_scale(format, amax, tensor) : 1.0;
          ASSERT_EQ(got.scales[block], scale) << name << ' ' << k << ' ' << amax;
          const double d = scale * tensor;
          const double element = d > 0.0 ? nearest(std::fabs(row[k]), d, magnitudes) : 0.0;
          ASSERT_EQ(std::fabs(got.elements[k]), element)
              << std::hexfloat << name << ' ' << row[k] << " / " << d;
          ASSERT_TRUE(element == 0.0 || std::signbit(got.elements[k]) == std::signbit(row[k]));
          ASSERT_EQ(got.values[k], got.elements[k] * d);
          ASSERT_TRUE(has_code(got.elements[k], format.element));
          if (format.scale) {
            ASSERT_TRUE(has_code(scale, *format.scale));
          }
        }
      }
    }
  }
}

// OCP MX 1.0 §6.3 by hand: amax 7, E2M1 with emax 2: scale 2^(2-2) = 1, and 7 saturates to 6.
TEST(BlockFormat, ScaleRoundingOfMxfp4ByHand) {
  BlockFormat format = block_format_from_name("mxfp4");
  Row row = quantized(format, {7.0, -1.3, 0.2});
  EXPECT_THAT(row.scales, ElementsAre(1.0));
  EXPECT_THAT(row.values, ElementsAre(6.0, -1.5, 0.0));
  format.scale_rounding = ScaleRounding::ceil;
  row = quantized(format, {7.0, -1.3, 0.2});
  EXPECT_THAT(row.scales, ElementsAre(2.0));
  EXPECT_THAT(row.elements, ElementsAre(4.0, -0.5, 0.0));  // 3.5 is a tie: to the even code
  format.scale_rounding = ScaleRounding::rne;
  EXPECT_THAT(quantized(format, {5.9}).scales, ElementsAre(1.0));
  EXPECT_THAT(quantized(format, {6.0}).scales, ElementsAre(2.0));   // 1.5: codes 127 and 128
  EXPECT_THAT(quantized(format, {12.0}).scales, ElementsAre(2.0));  // 3: codes 128 and 129
}

// amax 3.0: floor(log2 3) - 8 for E4M3; - 15 for E5M2.
TEST(BlockFormat, MxScalesStandAtTheElementsLargestBinade) {
  EXPECT_THAT(quantized("mxfp8_e4m3", {3.0, 1.0}).scales, ElementsAre(0x1p-7));
  EXPECT_THAT(quantized("mxfp8_e5m2", {3.0, 1.0}).scales, ElementsAre(0x1p-14));
  EXPECT_THAT(quantized("mxfp6_e3m2", {3.0, 1.0}).scales, ElementsAre(0x1p-3));
  EXPECT_THAT(quantized("mxfp6_e2m3", {3.0, 1.0}).scales, ElementsAre(0x1p-1));
  EXPECT_THAT(quantized("mxint8", {3.0, 1.0}).scales, ElementsAre(2.0));
}

TEST(BlockFormat, ABlockEndsAfterItsElementsAndTheLastIsShort) {
  std::vector<double> row(70, 1.0);
  row[32] = 1024.0;
  const Row got = quantized("mxint8", row);
  EXPECT_THAT(got.scales, ElementsAre(1.0, 1024.0, 1.0));
  EXPECT_EQ(got.values[33], 0.0);
  EXPECT_EQ(got.values[31], 1.0);
  EXPECT_EQ(got.values[64], 1.0);
}

// Tensor scale 2688/(6*448) = 1; the second block's scale 3/6 is a number of E4M3.
TEST(BlockFormat, Nvfp4HasAScaleOfBlocksAndOneOfTheTensor) {
  std::vector<double> row(32, 3.0);
  row[0] = 2688.0;
  const Row got = quantized("nvfp4", row);
  EXPECT_THAT(got.scales, ElementsAre(448.0, 0.5));
  EXPECT_EQ(got.values[0], 2688.0);
  EXPECT_EQ(got.values[1], 0.0);
  EXPECT_EQ(got.values[31], 3.0);
  // What is 2^-10 of E4M3's smallest scale below loses its block.
  row.assign(32, 0x1p-30);
  row[0] = 2688.0;
  EXPECT_THAT(quantized("nvfp4", row).scales, ElementsAre(448.0, 0.0));
  EXPECT_EQ(quantized("nvfp4", row).values[31], 0.0);
}

TEST(BlockFormat, SymmetricIntegersAndSharedExponents) {
  EXPECT_THAT(quantized("int8_channel", {127.0, -127.0, 2.4, -0.6}).values,
              ElementsAre(127.0, -127.0, 2.0, -1.0));
  EXPECT_THAT(quantized("int4_channel", {3.5, -3.5, 0.3}).elements, ElementsAre(7.0, -7.0, 1.0));
  // Scale 2^1 of M = 4: quantum 2^(2-4) * 2; 3.9/0.5 = 7.8 saturates on both sides alike.
  EXPECT_THAT(quantized("bfp2m4", {3.9, -3.9}).values, ElementsAre(3.5, -3.5));
  EXPECT_THAT(quantized("bfp32m8", {1.999, -1.999}).elements,
              ElementsAre(127.0 / 64.0, -127.0 / 64.0));
}

TEST(BlockFormat, ZeroBlocks) {
  EXPECT_THAT(quantized("mxfp8_e4m3", {0.0, -0.0}).scales, ElementsAre(0x1p-127));
  EXPECT_THAT(quantized("nvfp4", {0.0, 0.0}).scales, ElementsAre(0.0));
  for (const char* name : kMany)
    for (const double x : quantized(name, {0.0, -0.0}).values) EXPECT_EQ(x, 0.0) << name;
}

TEST(BlockFormat, NanAndInfinityMakeTheirBlockNan) {
  for (const double bad : {kNan, HUGE_VAL, -HUGE_VAL}) {
    for (const char* name : {"mxfp8_e5m2", "mxint8", "nvfp4", "bfp16m8", "int8_block16"}) {
      std::vector<double> row(64, 1.0);
      row[3] = bad;
      const Row got = quantized(name, row);
      EXPECT_TRUE(std::isnan(got.scales[0])) << name;
      EXPECT_EQ(got.elements[0], 0.0) << name;
      EXPECT_TRUE(std::isnan(got.values[0])) << name;
      EXPECT_NEAR(got.values[63], 1.0, 0.01) << name;
    }
  }
  EXPECT_THAT(quantized("int8_tensor", {kNan, HUGE_VAL, -HUGE_VAL, 1.0, 127.0}).values,
              ElementsAre(0.0, 127.0, -127.0, 1.0, 127.0));
}

TEST(BlockFormat, ScalesSaturate) {
  EXPECT_THAT(quantized("int8_channel_fp16", {0x1p40}).scales, ElementsAre(65504.0));
  EXPECT_THAT(quantized("mxfp4", {0x1p300}).scales, ElementsAre(0x1p127));
  EXPECT_THAT(quantized("mxfp4", {0x1p-300}).scales, ElementsAre(0x1p-127));
}

// With all random words as likely, the mean of many is the value: here within 4 standard errors.
TEST(BlockFormat, StochasticElementsAreUnbiasedAndDependOnTheIndexOnly) {
  const BlockFormat format = block_format_from_name("bfp16m4");
  std::vector<double> row(40000, 0.30);
  for (std::size_t i = 0; i < row.size(); i += 16) row[i] = 1.0;
  ElementRounding rounding{Rounding::sr, 16, {7, 9}};
  const Row got = quantized(format, row, rounding);
  double sum = 0.0;
  for (std::size_t i = 0; i < row.size(); ++i) sum += i % 16 == 0 ? 0.0 : got.values[i];
  EXPECT_NEAR(sum / (40000.0 * 15.0 / 16.0), 0.30, 4 * 0.125 / std::sqrt(37500.0));
  std::vector<double> part(1600);
  std::vector<double> scales(100);
  quantize_row(format, row.data() + 800, 1600, 1.0, rounding, 800, part.data(), scales.data());
  for (std::size_t i = 0; i < part.size(); ++i) ASSERT_EQ(part[i], got.elements[800 + i]);
}

TEST(BlockFormat, MatrixAsAnOperandHasOneScaleATerm) {
  std::vector<double> values(2 * 40, 1.0);
  values[39] = 512.0;
  values[40] = -3.0;
  const BlockScaledRows rows(block_format_from_name("mxint8"), values.data(), 2, 40);
  std::vector<double> elements(40), scales(40);
  EXPECT_EQ(rows.rows(), 2);
  EXPECT_TRUE(rows.has_scales());
  EXPECT_THAT(std::vector<double>(rows.scales(0), rows.scales(0) + 2), ElementsAre(1.0, 512.0));
  rows.read(0, elements.data());
  rows.read_scales(0, scales.data());
  EXPECT_EQ(elements[31] * scales[31], 1.0);
  EXPECT_EQ(scales[32], 512.0);
  EXPECT_EQ(elements[33], 0.0);  // 1/512 is below half of 1/64
  rows.read(1, elements.data());
  rows.read_scales(1, scales.data());
  EXPECT_EQ(scales[0], 2.0);
  EXPECT_EQ(elements[0], -1.5);
  const BlockScaledRows nv(block_format_from_name("nvfp4"), values.data(), 2, 40);
  EXPECT_EQ(nv.tensor_scale(), static_cast<double>(512.0F / 2688.0F));
}

TEST(BlockFormat, NamesRoundTripAndOthersAreRefused) {
  for (const std::string& name : named_block_formats())
    EXPECT_EQ(block_format_from_name(name).name, name);
  for (const char* name : kMany) {
    EXPECT_EQ(block_format_from_name(name).name, name);
    EXPECT_TRUE(names_block_format(name)) << name;
    EXPECT_NO_THROW(validate(block_format_from_name(name))) << name;
  }
  BlockFormat by_pattern = block_format_from_name("bfp32m8");
  EXPECT_EQ(by_pattern, block_format_from_name("mxint8"));
  EXPECT_EQ(block_format_from_name("int8_block32_fp32"), block_format_from_name("int8_block32"));
  for (const char* name :
       {"", "mxfp8", "mxfp4_", "bfp", "bfp16", "bfp16m1", "bfp1m8", "bfp016m8", "bfp16m8x",
        "bfp16m-8", "bfp9999m8", "int8", "int8_block", "int8_block1", "int8_blocks32",
        "int8_channel_fp8", "int9_tensor", "fp16_tensor", "e8m0_block32"})
    EXPECT_THROW(block_format_from_name(name), std::invalid_argument) << name;
  EXPECT_FALSE(names_block_format("mxint8_element"));
  EXPECT_FALSE(names_block_format("fp8_e4m3"));
}

TEST(BlockFormat, ValidationNamesEveryBrokenRule) {
  BlockFormat format = block_format_from_name("mxfp4");
  format.block = 1;
  format.scale = format_from_name("int8");
  format.symmetric = true;
  try {
    validate(format);
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    for (const char* part : {"2..4096", "symmetric", "scales are"})
      EXPECT_THAT(error.what(), testing::HasSubstr(part));
  }
}

TEST(BlockFormat, BitsPerValueCountTheScale) {
  EXPECT_EQ(block_format_from_name("mxfp8_e4m3").bits_per_value(), 8.25);
  EXPECT_EQ(block_format_from_name("mxfp4").bits_per_value(), 4.25);
  EXPECT_EQ(block_format_from_name("nvfp4").bits_per_value(), 4.5);
  EXPECT_EQ(block_format_from_name("bfp16m4").bits_per_value(), 4.5);
  EXPECT_EQ(block_format_from_name("int8_channel").bits_per_value(), 8.0);
}

}  // namespace
}  // namespace npusim::precision
