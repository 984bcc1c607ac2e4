// SPDX-License-Identifier: Apache-2.0
#include "precision/error_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "precision/decibel.h"

namespace npusim::precision {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

ErrorMetrics metrics(const std::vector<double>& y, const std::vector<double>& reference,
                     const Format& format = fp16()) {
  return compare(y.data(), reference.data(), static_cast<std::int64_t>(y.size()), format);
}

TEST(ErrorMetrics, WorkedByHand) {
  // Errors 1, -1, 0, 2 against 3, 4, 0, 12: norms of 13 and sqrt(6); y = 4, 3, 0, 14.
  const ErrorMetrics m = metrics({4, 3, 0, 14}, {3, 4, 0, 12});
  EXPECT_EQ(m.count, 4);
  EXPECT_EQ(m.max_abs, 2.0);
  EXPECT_EQ(m.max_rel, 1.0 / 3.0);
  EXPECT_DOUBLE_EQ(*m.rel_fro, std::sqrt(6.0) / 13.0);
  EXPECT_DOUBLE_EQ(m.rmse, std::sqrt(6.0 / 4.0));
  EXPECT_NEAR(*m.sqnr_db, 20.0 * std::log10(13.0 / std::sqrt(6.0)), 1e-11);
  EXPECT_DOUBLE_EQ(*m.cosine, (12.0 + 12.0 + 0.0 + 168.0) / (13.0 * std::sqrt(221.0)));
  EXPECT_EQ(m.bias, 0.5);
  EXPECT_EQ(m.nan, 0);
  EXPECT_EQ(m.inf, 0);
}

TEST(ErrorMetrics, UlpsAreOfTheFormatAtTheReference) {
  // FP16: the spacing at 1 is 2^-10, at 3 it is 2^-9, below 2^-14 it is 2^-24.
  const ErrorMetrics m = metrics({1.0 + 0x3p-10, 3.0 - 0x1p-9, 0x3p-24}, {1.0, 3.0, 0x1p-24});
  EXPECT_EQ(m.ulp_max, 3.0);
  EXPECT_EQ(m.ulp_mean, 2.0);
}

TEST(ErrorMetrics, UlpOfFollowsBinadesAndSubnormals) {
  EXPECT_EQ(ulp_of(1.0, fp16()), 0x1p-10);
  EXPECT_EQ(ulp_of(-1.9, fp16()), 0x1p-10);
  EXPECT_EQ(ulp_of(2.0, fp16()), 0x1p-9);
  EXPECT_EQ(ulp_of(0.999, fp16()), 0x1p-11);
  EXPECT_EQ(ulp_of(0x1p-20, fp16()), 0x1p-24);
  EXPECT_EQ(ulp_of(0.0, fp16()), 0x1p-24);
  EXPECT_EQ(ulp_of(1.0, fp32()), 0x1p-23);
}

TEST(ErrorMetrics, PerfectAgreementHasNoRatioOfNoise) {
  const ErrorMetrics m = metrics({1, 2}, {1, 2});
  EXPECT_EQ(*m.rel_fro, 0.0);
  EXPECT_FALSE(m.sqnr_db.has_value());
  EXPECT_DOUBLE_EQ(*m.cosine, 1.0);
}

TEST(ErrorMetrics, RatiosAreAbsentWithoutAReference) {
  const ErrorMetrics m = metrics({1, 0}, {0, 0});
  EXPECT_FALSE(m.rel_fro.has_value());
  EXPECT_FALSE(m.sqnr_db.has_value());
  EXPECT_FALSE(m.cosine.has_value());
  EXPECT_EQ(m.max_abs, 1.0);
  EXPECT_EQ(m.max_rel, 0.0);
  const ErrorMetrics none = metrics({}, {});
  EXPECT_EQ(none.count, 0);
  EXPECT_EQ(none.rmse, 0.0);
}

TEST(ErrorMetrics, NonFiniteElementsAreCountedAndLeftOut) {
  const ErrorMetrics m = metrics({std::nan(""), kInfinity, -kInfinity, 2.0}, {1, 1, 1, 1});
  EXPECT_EQ(m.nan, 1);
  EXPECT_EQ(m.inf, 2);
  EXPECT_EQ(m.max_abs, 1.0);
  EXPECT_EQ(m.rmse, 1.0);
  EXPECT_EQ(m.overflow_pct, 50.0);
}

TEST(ErrorMetrics, UnderflowAndOverflowShares) {
  // Three references are not zero, one of them came out as zero; one finite one saturated.
  const ErrorMetrics m = metrics({0.0, 1.0, 0.0, 65504.0}, {1e-9, 1.0, 0.0, 1e6});
  EXPECT_DOUBLE_EQ(m.underflow_pct, 100.0 / 3.0);
  EXPECT_EQ(m.overflow_pct, 25.0);
  EXPECT_EQ(metrics({65504.0}, {65504.0}).overflow_pct, 0.0);  // the largest number itself
  EXPECT_EQ(metrics({kInfinity}, {kInfinity}).overflow_pct, 0.0);
}

TEST(ErrorMetrics, LongSumsDoNotDrift) {
  std::vector<double> y(1000000, 0.1), reference(1000000, 0.0);
  reference[0] = 1.0;
  y[0] = 1.0 + 0x1p-20;
  const ErrorMetrics m = metrics(y, reference, fp64());
  EXPECT_DOUBLE_EQ(m.bias, (99999.9 + 0x1p-20) / 1e6);
}

TEST(ErrorMetrics, SquaresNeitherOverflowNorVanish) {
  for (const double unit : {0x1p600, 0x1p-600, 0x1p-1000}) {
    const ErrorMetrics m = metrics({4 * unit, 3 * unit}, {3 * unit, 4 * unit}, fp64());
    EXPECT_DOUBLE_EQ(*m.rel_fro, std::sqrt(2.0) / 5.0);
    EXPECT_DOUBLE_EQ(m.rmse, unit);
    EXPECT_DOUBLE_EQ(*m.cosine, 24.0 / 25.0);
  }
  const ErrorMetrics tiny = metrics({1.0, 0x1p-1000}, {1.0, 0x3p-1000}, fp64());
  EXPECT_NEAR(*tiny.sqnr_db, 999.0 * 20.0 * std::log10(2.0), 1e-9);
}

TEST(Decibel, AgreesWithTheLibraryAcrossTheRange) {
  for (int e = -1074; e <= 1023; ++e)
    for (const double m : {1.0, 1.2, 1.4142, 1.4143, 1.7, 1.999}) {
      const double ratio = std::ldexp(m, e);
      EXPECT_NEAR(decibel(ratio), 20.0 * std::log10(ratio), 1e-10) << ratio;
    }
  EXPECT_EQ(decibel(1.0), 0.0);
}

}  // namespace
}  // namespace npusim::precision
