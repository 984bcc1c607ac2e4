// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "oracle.h"
#include "patterns.h"
#include "precision/indexed_rounding.h"
#include "precision/rounder.h"
#include "simd_path.h"
#include "units.h"

namespace npusim::precision {
namespace {

std::vector<Format> formats() {
  std::vector<Format> all = {fp64()};
  for (const Format& base : {fp32(), fp16(), bf16(), format_from_name("e4m3"),
                             format_from_name("e8m10"), format_from_name("e2m1")})
    for (const Format& variant : patterns::variants(base)) all.push_back(variant);
  Format numbers_only = format_from_name("e4m3");
  numbers_only.non_finite = NonFinite::none;
  all.push_back(numbers_only);
  return all;
}

/// Values and midpoints of FP16 and of a coarse format of FP32's range, a stride of them, and every
/// binade of binary64.
std::vector<double> inputs() {
  std::vector<double> values = patterns::around(patterns::magnitudes(format_from_name("e8m2")));
  const std::vector<double> half = patterns::around(patterns::magnitudes(fp16()));
  for (std::size_t i = 0; i < half.size(); i += 13) values.push_back(half[i]);
  for (int e = -1074; e < 1024; ++e)
    for (const double m : {1.0, 1.0 + 0x1p-52, 1.5, 1.0 + 0x1p-24, 2.0 - 0x1p-52})
      values.push_back((e % 2 == 0 ? 1.0 : -1.0) * std::ldexp(m, e));
  return values;
}

class RoundArray : public testing::TestWithParam<std::string> {
 protected:
  ForcedSimd forced_{GetParam().c_str()};
};
INSTANTIATE_TEST_SUITE_P(Paths, RoundArray, testing::ValuesIn(simd_paths()),
                         [](const auto& path) { return path.param; });

TEST_P(RoundArray, GivesTheBitsOfRoundTo) {
  const std::vector<double> in = inputs();
  std::vector<double> out(in.size());
  for (const Format& format : formats()) {
    for (const Rounding rounding : patterns::kRoundings) {
      const Arithmetic arithmetic{format, rounding};
      round_array(in.data(), out.data(), static_cast<long>(in.size()), arithmetic);
      for (std::size_t i = 0; i < in.size(); ++i) {
        const double want = round_to(in[i], arithmetic);
        ASSERT_EQ(std::memcmp(&out[i], &want, sizeof want), 0)
            << std::hexfloat << format.name << ' ' << name_of(rounding) << " of " << in[i]
            << ": got " << out[i] << ", want " << want;
      }
    }
  }
}

/// Formats of every kind that floats hold, wide and narrow, with every overflow and subnormal rule.
std::vector<Format> float_formats() {
  std::vector<Format> all;
  for (const char* name :
       {"fp32", "tf32", "bf16", "fp16", "fp8_e5m2", "fp8_e4m3", "fp8_e4m3fnuz", "fp6_e3m2",
        "fp4_e2m1", "int8", "e8m0", "e7m12", "e6m9", "e5m23", "e4m21", "e8m1"})
    all.push_back(format_from_name(name));
  for (const char* name : {"bf16", "fp16", "e8m13"}) {
    for (const Overflow overflow : {Overflow::always_infinity, Overflow::saturate, Overflow::nan}) {
      for (const Subnormals subnormals :
           {Subnormals::flush, Subnormals::flush_tiny_after, Subnormals::flush_tiny_before}) {
        Format format = format_from_name(name);
        format.overflow = overflow;
        format.subnormals = subnormals;
        all.push_back(format);
      }
    }
  }
  Format silent = fp16();
  silent.nan = NanResult::zero;
  all.push_back(silent);
  return all;
}

/// Corners of every format, the points around them, and random bits.
std::vector<float> float_inputs() {
  std::vector<float> values;
  for (const double x : inputs()) values.push_back(static_cast<float>(x));
  units::Random random(5);
  for (int i = 0; i < 40000; ++i) {
    const auto bits = static_cast<std::uint32_t>(random.bits() >> 8);
    float x = 0.0F;
    std::memcpy(&x, &bits, sizeof x);
    values.push_back(x);
  }
  return values;
}

TEST_P(RoundArray, FloatsGetTheBitsOfRoundTo) {
  const std::vector<float> in = float_inputs();
  std::vector<float> out(in.size());
  for (const Format& format : float_formats()) {
    for (const Rounding rounding : patterns::kRoundings) {
      const Arithmetic arithmetic{format, rounding};
      round_indexed(in.data(), out.data(), static_cast<std::int64_t>(in.size()), arithmetic);
      for (std::size_t i = 0; i < in.size(); ++i) {
        const auto want = static_cast<float>(round_to(static_cast<double>(in[i]), arithmetic));
        ASSERT_EQ(std::memcmp(&out[i], &want, sizeof want), 0)
            << std::hexfloat << format.name << ' ' << name_of(rounding) << " of " << in[i]
            << ": got " << out[i] << ", want " << want << " overflow "
            << static_cast<int>(format.overflow) << " subnormals "
            << static_cast<int>(format.subnormals);
      }
    }
  }
}

TEST_P(RoundArray, StochasticFloatsTakeTheWordOfTheirIndex) {
  const std::vector<float> in = float_inputs();
  std::vector<float> out(in.size());
  const RandomKey key{123, 456};
  const std::uint64_t first = (std::uint64_t{1} << 32) - 1000;  // into the second stream
  for (const Format& format : float_formats()) {
    if (format.is_scale()) continue;
    for (const int bits : {1, 3, 8, 13, 24, 28}) {
      const Arithmetic arithmetic{format, Rounding::sr, bits};
      round_indexed(in.data(), out.data(), static_cast<std::int64_t>(in.size()), arithmetic, key,
                    first);
      IndexedWords words(key, first);
      for (std::size_t i = 0; i < in.size(); ++i) {
        const auto want =
            static_cast<float>(round_to(static_cast<double>(in[i]), arithmetic, words.next()));
        ASSERT_EQ(std::memcmp(&out[i], &want, sizeof want), 0)
            << std::hexfloat << format.name << " sr " << bits << " of " << in[i] << ": got "
            << out[i] << ", want " << want;
      }
    }
  }
}

TEST_P(RoundArray, LargeAndShiftedFloatArrays) {
  // Long enough for stores past the caches, from and to every alignment.
  std::vector<float> in(std::size_t{5} << 20, 1.0F + 0x1p-12F);
  std::vector<float> out(in.size());
  for (const std::size_t shift : {0, 1, 7}) {
    std::fill(out.begin(), out.end(), -1.0F);
    const std::size_t count = in.size() - 8;
    round_indexed(in.data() + 3, out.data() + shift, static_cast<std::int64_t>(count),
                  {fp16(), Rounding::rne});
    for (std::size_t i = 0; i < out.size(); ++i)
      ASSERT_EQ(out[i], i >= shift && i < shift + count ? 1.0F : -1.0F) << i;
  }
  EXPECT_THROW(round_indexed(in.data(), out.data(), 1, {fp64(), Rounding::rne}),
               std::invalid_argument);
}

TEST_P(RoundArray, WorksInPlaceAndOnShortArrays) {
  for (long count = 0; count < 70; ++count) {
    std::vector<double> values(static_cast<std::size_t>(count) + 1, 1.0 + 0x1p-12);
    round_array(values.data(), values.data(), count, {fp16(), Rounding::rne});
    for (long i = 0; i < count; ++i) EXPECT_EQ(values[static_cast<std::size_t>(i)], 1.0);
    EXPECT_EQ(values.back(), 1.0 + 0x1p-12);
  }
}

TEST(Rounder, AgreesWithRoundTo) {
  const std::vector<double> in = inputs();
  for (const Format& format : formats()) {
    const Rounder rounder(Arithmetic{format, Rounding::rne});
    std::vector<double> array = in;
    rounder.array(array.data(), static_cast<long>(array.size()));
    for (std::size_t i = 0; i < in.size(); ++i) {
      const double want = round_to(in[i], format, Rounding::rne);
      ASSERT_TRUE(oracle::same(rounder(in[i]), want));
      ASSERT_TRUE(oracle::same(array[i], want));
    }
  }
  EXPECT_EQ(Rounder()(1.0 + 0x1p-52), 1.0 + 0x1p-52);
}

}  // namespace
}  // namespace npusim::precision
