// SPDX-License-Identifier: Apache-2.0
#include "precision/rounding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <sstream>
#include <stdexcept>

#include "oracle.h"
#include "patterns.h"

namespace npusim::precision {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Counts disagreements and shows the first.
class Disagreements {
 public:
  void note(double x, double got, double want, const Format& format, Rounding rounding) {
    if (oracle::same(got, want)) return;
    if (++count_ == 1)
      first_ << std::hexfloat << format.name << ' ' << name_of(rounding) << " of " << x << ": got "
             << got << ", want " << want;
  }
  void expect_none() const { EXPECT_EQ(count_, 0) << first_.str(); }

 private:
  int count_ = 0;
  std::ostringstream first_;
};

void expect_agreement(const std::vector<double>& inputs, const Format& format) {
  Disagreements wrong;
  for (const Rounding rounding : patterns::kRoundings)
    for (const double x : inputs)
      wrong.note(x, round_to(x, format, rounding), oracle::Exact(x).rounded(format, rounding),
                 format, rounding);
  wrong.expect_none();
}

TEST(RoundTo, EveryPointOfSmallFormatsInEveryVariantAgreesWithMpfr) {
  for (const char* name : {"e2m1", "e2m3", "e3m2", "e4m3", "e5m2", "e6m4"})
    for (const Format& format : patterns::variants(format_from_name(name)))
      expect_agreement(patterns::around(patterns::magnitudes(format)), format);
}

TEST(RoundTo, FormatsWithoutInfinityUseTheirTopExponentForNumbers) {
  Format format = format_from_name("e4m3");
  format.non_finite = NonFinite::none;
  format.overflow = Overflow::saturate;
  EXPECT_EQ(format.max_finite(), 480.0);
  expect_agreement(patterns::around(patterns::magnitudes(format)), format);
  EXPECT_EQ(round_to(kInfinity, format, Rounding::rne), 480.0);
  EXPECT_EQ(round_to(std::nan(""), format, Rounding::rne), 0.0);
}

TEST(RoundTo, EveryFp16ValueAndMidpointAgreesWithMpfr) {
  expect_agreement(patterns::around(patterns::magnitudes(fp16())), fp16());
}

TEST(RoundTo, EveryBf16ValueAndMidpointAgreesWithMpfr) {
  expect_agreement(patterns::around(patterns::magnitudes(bf16())), bf16());
}

TEST(RoundTo, Fp32CornersAgreeWithMpfr) {
  std::vector<double> values;
  for (int e = -1074; e <= 1023; ++e)
    for (const double m : {1.0, 1.0 + 0x1p-23, 1.0 + 0x1p-24, 1.0 + 0x3p-24, 2.0 - 0x1p-23,
                           2.0 - 0x1p-24, 1.0 + 0x1p-52, 2.0 - 0x1p-52, 1.0 + 0x1p-24 + 0x1p-52})
      for (const double sign : {1.0, -1.0}) values.push_back(sign * std::ldexp(m, e));
  for (const Format& format : patterns::variants(fp32())) expect_agreement(values, format);
  expect_agreement(values, fp64());
}

TEST(RoundTo, Fp32NearestIsTheCompilersConversion) {
  std::uint64_t state = 1;
  for (int i = 0; i < 1000000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const double x = std::ldexp(static_cast<double>(state >> 11), static_cast<int>(i % 330) - 230);
    ASSERT_EQ(round_to(x, fp32(), Rounding::rne), static_cast<double>(static_cast<float>(x)));
  }
}

TEST(RoundTo, OverflowFollowsTheDirection) {
  const double beyond = 65520.0;  // halfway between 65504 and 2^16
  EXPECT_EQ(round_to(beyond, fp16(), Rounding::rne), kInfinity);
  EXPECT_EQ(round_to(std::nextafter(beyond, 0.0), fp16(), Rounding::rne), 65504.0);
  EXPECT_EQ(round_to(1e6, fp16(), Rounding::rtz), 65504.0);
  EXPECT_EQ(round_to(1e6, fp16(), Rounding::rd), 65504.0);
  EXPECT_EQ(round_to(-1e6, fp16(), Rounding::rd), -kInfinity);
  EXPECT_EQ(round_to(1e6, fp16(), Rounding::ru), kInfinity);
  EXPECT_EQ(round_to(-1e6, fp16(), Rounding::ru), -65504.0);
  EXPECT_EQ(round_to(1e6, fp16(), Rounding::odd), 65504.0);
}

TEST(RoundTo, SaturatingFormatsClampInfinitiesToo) {
  Format format = fp16();
  format.overflow = Overflow::saturate;
  for (const Rounding rounding : patterns::kRoundings) {
    EXPECT_EQ(round_to(1e9, format, rounding), 65504.0);
    EXPECT_EQ(round_to(-kInfinity, format, rounding), -65504.0);
  }
  EXPECT_TRUE(std::isnan(round_to(std::nan(""), format, Rounding::rne)));
}

TEST(RoundTo, FlushingComesAfterRounding) {
  Format format = fp16();
  format.subnormals = Subnormals::flush;
  EXPECT_EQ(round_to(0x1.ffep-15, format, Rounding::rne), 0x1p-14);  // rounds up to a normal number
  EXPECT_TRUE(oracle::same(round_to(-0x1.ff8p-15, format, Rounding::rtz), -0.0));
}

TEST(RoundTo, NanLosesItsSignAndPayload) {
  EXPECT_FALSE(std::signbit(round_to(-std::nan("7"), fp16(), Rounding::rne)));
}

TEST(OddSum, KeepsExactSumsAndMarksInexactOnes) {
  EXPECT_EQ(odd_sum(1.0, 2.0), 3.0);
  EXPECT_EQ(odd_sum(1.0, 0x1p-60), 1.0 + 0x1p-52);
  EXPECT_EQ(odd_sum(1.0, -0x1p-60), 1.0 - 0x1p-53);  // the odd neighbour below a power of two
  EXPECT_EQ(odd_sum(-1.0, -0x1p-60), -1.0 - 0x1p-52);
  EXPECT_EQ(odd_sum(kInfinity, 1.0), kInfinity);
  EXPECT_TRUE(std::isnan(odd_sum(kInfinity, -kInfinity)));
}

TEST(OddSum, RoundedAgainEqualsOneRoundingOfTheTrueSum) {
  std::uint64_t state = 7;
  const auto next = [&state] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 11;
  };
  Disagreements wrong;
  for (int i = 0; i < 20000; ++i) {
    const int shift = static_cast<int>(next() % 60);
    const double x = std::ldexp(static_cast<double>(next() >> (next() % 53)), -50);
    const double y = std::ldexp(static_cast<double>(next() >> (next() % 53)), -50 - shift) *
                     (next() % 2 == 0 ? 1.0 : -1.0);
    for (const Format& format : {fp16(), bf16(), fp32(), format_from_name("e8m16")})
      for (const Rounding rounding : patterns::kRoundings)
        wrong.note(x, round_to(odd_sum(x, y), format, rounding),
                   oracle::Exact::sum(oracle::Exact(x), oracle::Exact(y), Rounding::rne)
                       .rounded(format, rounding),
                   format, rounding);
  }
  wrong.expect_none();
}

TEST(Representable, HoldsExactlyForTheValuesOfTheFormat) {
  EXPECT_TRUE(representable(65504.0, fp16()));
  EXPECT_FALSE(representable(65505.0, fp16()));
  EXPECT_TRUE(representable(0x1p-24, fp16()));
  EXPECT_FALSE(representable(0x1p-25, fp16()));
  EXPECT_TRUE(representable(-0.0, fp16()));
  EXPECT_TRUE(representable(kInfinity, fp16()));
  EXPECT_TRUE(representable(std::nan(""), fp16()));
  Format saturating = fp16();
  saturating.overflow = Overflow::saturate;
  EXPECT_FALSE(representable(kInfinity, saturating));
}

TEST(RoundingNames, RoundTripAndRejectOthers) {
  for (const std::string& name : rounding_names())
    EXPECT_EQ(name_of(rounding_from_name(name)), name);
  EXPECT_THROW(rounding_from_name("nearest"), std::invalid_argument);
}

}  // namespace
}  // namespace npusim::precision
