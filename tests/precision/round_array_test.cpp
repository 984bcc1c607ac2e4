// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "oracle.h"
#include "patterns.h"
#include "precision/rounder.h"
#include "simd_path.h"

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
