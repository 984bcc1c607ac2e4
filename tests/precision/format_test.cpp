// SPDX-License-Identifier: Apache-2.0
#include "precision/format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "precision/format_table.h"

namespace npusim::precision {
namespace {

TEST(Format, LimitsOfTheNamedFormatsAreThePublishedOnes) {
  EXPECT_EQ(fp16().max_finite(), 65504.0);
  EXPECT_EQ(fp16().min_normal(), 0x1p-14);
  EXPECT_EQ(fp16().min_subnormal(), 0x1p-24);
  EXPECT_EQ(bf16().max_finite(), 0x1.fep127);
  EXPECT_EQ(bf16().min_subnormal(), 0x1p-133);
  EXPECT_EQ(fp32().max_finite(), 0x1.fffffep127);
  EXPECT_EQ(fp32().min_subnormal(), 0x1p-149);
  EXPECT_EQ(fp64().max_finite(), 0x1.fffffffffffffp1023);
  EXPECT_EQ(fp64().min_subnormal(), 0x1p-1074);
}

TEST(Format, NamesAnyExponentAndFractionWidth) {
  const Format format = format_from_name("e6m9");
  EXPECT_EQ(format.bits(), 16);
  EXPECT_EQ(format.bias, 31);
  EXPECT_EQ(format.storage_bytes(), 2);
  EXPECT_EQ(format_from_name("e5m10"), fp16());
  for (const std::string& name : named_formats()) EXPECT_EQ(format_from_name(name).name, name);
}

TEST(Format, RefusesUnknownNames) {
  for (const char* name :
       {"", "fp17", "e1m3", "e9m3", "e5m0", "e5m24", "e5m10x", "e05m10", "E5M10"})
    EXPECT_THROW(format_from_name(name), std::invalid_argument) << name;
}

TEST(Format, ValidationNamesEveryBrokenRule) {
  Format format = fp16();
  format.exponent_bits = 12;
  format.fraction_bits = 53;
  try {
    validate(format);
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("exponent_bits"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("fraction_bits"), std::string::npos);
  }
  format = fp64();
  format.bias -= 1;
  EXPECT_THROW(validate(format), std::invalid_argument);
}

// IEEE 754 binary16 and binary32, and bfloat16, as published (digits by ISO C, 5.2.4.2.2).
TEST(FormatTable, PropertiesOfFp16Bf16AndFp32) {
  const FormatProperties half = properties_of(fp16());
  EXPECT_EQ(half.epsilon, 0x1p-10);
  EXPECT_EQ(half.digits10, 3);
  EXPECT_EQ(half.max_digits10, 5);
  EXPECT_EQ(half.binades, 40);  // 2^-24 .. 2^15
  EXPECT_NEAR(*half.decimal_precision, 3.31, 0.005);
  EXPECT_NEAR(half.dynamic_range_db, 240.8, 0.05);  // 20 log10(65504 * 2^24)
  const FormatProperties brain = properties_of(bf16());
  EXPECT_EQ(brain.epsilon, 0x1p-7);
  EXPECT_EQ(brain.digits10, 2);
  EXPECT_EQ(brain.max_digits10, 4);
  EXPECT_EQ(brain.binades, 261);  // 2^-133 .. 2^127
  const FormatProperties single = properties_of(fp32());
  EXPECT_EQ(single.digits10, 6);
  EXPECT_EQ(single.max_digits10, 9);
  EXPECT_EQ(single.binades, 277);
}

// Cells without a meaning are absent. int8: -128 .. 127; E8M0: 2^-127 .. 2^127.
TEST(FormatTable, FixedPointAndScales) {
  const FormatProperties integer = properties_of(format_from_name("int8"));
  EXPECT_EQ(integer.bits, 8.0);
  EXPECT_EQ(integer.max_finite, 127.0);
  EXPECT_EQ(integer.lowest, -128.0);
  EXPECT_EQ(integer.min_positive, 1.0);
  EXPECT_EQ(integer.digits10, 2);
  EXPECT_FALSE(integer.exponent_bits || integer.bias || integer.min_exponent ||
               integer.min_normal || integer.min_subnormal || integer.max_digits10);
  EXPECT_NEAR(integer.dynamic_range_db, 42.08, 0.005);  // 20 log10 127
  const FormatProperties scale = properties_of(format_from_name("e8m0"));
  EXPECT_EQ(scale.max_finite, 0x1p127);
  EXPECT_EQ(scale.min_positive, 0x1p-127);
  EXPECT_EQ(scale.lowest, 0x1p-127);
  EXPECT_EQ(scale.binades, 255);
  EXPECT_FALSE(scale.digits10 || scale.min_subnormal || scale.decimal_precision);
}

// OCP MX 1.0: 448 * 2^127; 2^-9 * 2^-127. NVFP4: 6 * 448; 0.5 * 2^-9.
TEST(FormatTable, BlockScaledFormatsHaveTheRangeOfElementTimesScale) {
  const FormatProperties mx = properties_of(block_format_from_name("mxfp8_e4m3"));
  EXPECT_EQ(mx.bits, 8.25);
  EXPECT_EQ(mx.max_finite, 448.0 * 0x1p127);
  EXPECT_EQ(mx.min_positive, 0x1p-136);
  EXPECT_EQ(mx.min_exponent, -6 - 127);
  EXPECT_EQ(mx.max_exponent, 8 + 127);
  EXPECT_EQ(mx.binades, 272);
  const FormatProperties nv = properties_of(block_format_from_name("nvfp4"));
  EXPECT_EQ(nv.bits, 4.5);
  EXPECT_EQ(nv.max_finite, 2688.0);
  EXPECT_EQ(nv.min_positive, 0x1p-10);
  EXPECT_EQ(properties_of(block_format_from_name("int8_tensor")).max_finite, 127.0);
  EXPECT_EQ(properties_of(block_format_from_name("mxint8")).lowest, -127.0 / 64.0 * 0x1p127);
}

TEST(FormatTable, FlushedSubnormalsShortenTheRange) {
  Format format = fp16();
  format.subnormals = Subnormals::flush;
  EXPECT_EQ(properties_of(format).binades, 30);
}

}  // namespace
}  // namespace npusim::precision
