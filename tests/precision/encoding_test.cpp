// SPDX-License-Identifier: Apache-2.0
#include "precision/encoding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <stdexcept>

#include "integer_reference.h"
#include "precision/rounding.h"
#include "rules.h"

namespace npusim::precision {
namespace {

using integer_reference::as_double;
using integer_reference::Reference;

bool same_bits(double x, double y) {
  return std::memcmp(&x, &y, sizeof x) == 0;
}

TEST(Encoding, EveryCodeOfEveryFormatDecodesAsItsLayoutSaysAndComesBack) {
  for (const Format& format : rules::tabulated_formats()) {
    const Reference reference(format);
    for (std::uint64_t code = 0; code < std::uint64_t{1} << format.bits(); ++code) {
      const double value = decode(code, format);
      const double want = as_double(reference.value_of(code));
      if (std::isnan(want)) {
        ASSERT_TRUE(std::isnan(value)) << format.name << ' ' << code;
        ASSERT_TRUE(std::isnan(decode(encode(value, format), format)));
        continue;
      }
      ASSERT_TRUE(same_bits(value, want)) << format.name << ' ' << code;
      ASSERT_EQ(encode(value, format), code) << format.name << ' ' << value;
    }
  }
}

TEST(Encoding, CanonicalNansAreThoseOfTheSpecifications) {
  const auto nan_of = [](const char* name) {
    return encode(-std::nan("5"), format_from_name(name));
  };
  EXPECT_EQ(nan_of("fp64"), 0x7ff8000000000000u);
  EXPECT_EQ(nan_of("fp32"), 0x7fc00000u);
  EXPECT_EQ(nan_of("tf32"), 0x3fe00u);
  EXPECT_EQ(nan_of("fp16"), 0x7e00u);
  EXPECT_EQ(nan_of("bf16"), 0x7fc0u);
  EXPECT_EQ(nan_of("fp8_e5m2"), 0x7eu);
  EXPECT_EQ(nan_of("fp8_e4m3"), 0x7fu);
  EXPECT_EQ(nan_of("fp8_e4m3fnuz"), 0x80u);
  EXPECT_EQ(nan_of("fp8_e5m2fnuz"), 0x80u);
  EXPECT_EQ(nan_of("e8m0"), 0xffu);
  EXPECT_THROW(nan_of("fp4_e2m1"), std::invalid_argument);
  EXPECT_THROW(nan_of("int8"), std::invalid_argument);
}

// OCP OFP8 1.0 table 2, MX 1.0 tables 3-6, IEEE 754: worked by hand.
TEST(Encoding, PublishedCodes) {
  EXPECT_EQ(encode(448.0, format_from_name("fp8_e4m3")), 0x7eu);
  EXPECT_EQ(encode(0x1p-9, format_from_name("fp8_e4m3")), 0x01u);
  EXPECT_EQ(encode(57344.0, format_from_name("fp8_e5m2")), 0x7bu);
  EXPECT_EQ(encode(HUGE_VAL, format_from_name("fp8_e5m2")), 0x7cu);
  EXPECT_EQ(encode(240.0, format_from_name("fp8_e4m3fnuz")), 0x7fu);
  EXPECT_EQ(encode(-28.0, format_from_name("fp6_e3m2")), 0x3fu);
  EXPECT_EQ(encode(7.5, format_from_name("fp6_e2m3")), 0x1fu);
  EXPECT_EQ(encode(-6.0, format_from_name("fp4_e2m1")), 0xfu);
  EXPECT_EQ(encode(1.0, format_from_name("e8m0")), 127u);
  EXPECT_EQ(encode(-1.0, format_from_name("int8")), 0xffu);
  EXPECT_EQ(encode(-8.0, format_from_name("int4")), 0x8u);
  EXPECT_EQ(encode(-2.0, format_from_name("mxint8_element")), 0x80u);
  EXPECT_EQ(encode(0x1p-6, format_from_name("mxint8_element")), 0x01u);
  EXPECT_EQ(encode(65504.0, fp16()), 0x7bffu);
}

TEST(Encoding, Binary32And64AreTheHostsBits) {
  std::uint64_t state = 3;
  for (int i = 0; i < 200000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto code32 = static_cast<std::uint32_t>(state >> 32);
    const std::uint64_t code64 = state ^ state << 31;
    float single;
    double wide;
    std::memcpy(&single, &code32, sizeof single);
    std::memcpy(&wide, &code64, sizeof wide);
    if (single == single) {
      ASSERT_TRUE(same_bits(decode(code32, fp32()), static_cast<double>(single)));
      ASSERT_EQ(encode(static_cast<double>(single), fp32()), code32);
    }
    if (wide == wide) {
      ASSERT_TRUE(same_bits(decode(code64, fp64()), wide));
      ASSERT_EQ(encode(wide, fp64()), code64);
    }
  }
}

TEST(Encoding, ValuesWithoutACodeAreRefused) {
  for (const double x : {65505.0, 0x1p-25, 65536.0, 1.0 + 0x1p-11})
    EXPECT_FALSE(has_code(x, fp16())) << x;
  EXPECT_FALSE(has_code(HUGE_VAL, format_from_name("fp8_e4m3")));
  EXPECT_FALSE(has_code(480.0, format_from_name("fp8_e4m3")));
  EXPECT_FALSE(has_code(0.0, format_from_name("e8m0")));
  EXPECT_FALSE(has_code(-1.0, format_from_name("e8m0")));
  EXPECT_FALSE(has_code(1.5, format_from_name("e8m0")));
  EXPECT_FALSE(has_code(128.0, format_from_name("int8")));
  EXPECT_FALSE(has_code(0.5, format_from_name("int8")));
  EXPECT_EQ(encode(-0.0, format_from_name("int8")), 0u);
  EXPECT_EQ(encode(-0.0, format_from_name("fp8_e4m3fnuz")), 0u);
  EXPECT_EQ(encode(-0.0, fp16()), 0x8000u);
  EXPECT_THROW(encode(0.3, fp16()), std::invalid_argument);
  EXPECT_THROW(decode(0x100, format_from_name("int8")), std::invalid_argument);
}

// What a code means does not depend on the rules of the arithmetic around it.
TEST(Encoding, RulesOfArithmeticDoNotChangeCodes) {
  Format format = fp16();
  format.overflow = Overflow::saturate;
  format.subnormals = Subnormals::flush;
  EXPECT_EQ(decode(0x7c00, format), HUGE_VAL);
  EXPECT_EQ(decode(0x0001, format), 0x1p-24);
  EXPECT_EQ(encode(HUGE_VAL, format), 0x7c00u);
}

}  // namespace
}  // namespace npusim::precision
