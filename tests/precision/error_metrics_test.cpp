// SPDX-License-Identifier: Apache-2.0
#include "precision/error_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "precision/decibel.h"
#include "precision/error_counts.h"
#include "precision/error_stream.h"
#include "simd_path.h"

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

/// Pairs with zeros, subnormals, overflow, infinities and NaN among them.
std::vector<double> awkward(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> values;
  const double special[] = {0.0,        -0.0,         65504.0, -65504.0,  1e6,   kInfinity,
                            -kInfinity, std::nan(""), 0x1p-24, 0x1p-1030, 1e200, -1e200};
  for (std::size_t i = 0; i < count; ++i) {
    const double x = std::ldexp(static_cast<double>(random() >> 11) * 0x1p-53 - 0.5,
                                static_cast<int>(random() % 60) - 40);
    values.push_back(random() % 16 == 0 ? special[random() % std::size(special)] : x);
  }
  return values;
}

std::vector<double> figures(const ErrorMetrics& m) {
  return {static_cast<double>(m.count),
          m.max_abs,
          m.max_rel,
          m.rel_fro.value_or(-1),
          m.rmse,
          m.sqnr_db.value_or(-1),
          m.cosine.value_or(-2),
          m.ulp_max,
          m.ulp_mean,
          m.bias,
          static_cast<double>(m.nan),
          static_cast<double>(m.inf),
          m.underflow_pct,
          m.overflow_pct};
}

// The scalar code of ErrorCounts defines the counts; norms must not differ between paths.
TEST(ErrorMetrics, VectorsGiveTheBitsOfTheScalarCodeOnEverySimdPath) {
  for (const Format& format : {fp16(), bf16(), fp32(), format_from_name("fp8_e4m3")})
    for (const std::size_t count : {1U, 7U, 8U, 500U, 512U, 515U, 5000U}) {
      const std::vector<double> y = awkward(count, count), reference = awkward(count, 2 * count);
      ErrorCounts scalar(format);
      for (std::size_t i = 0; i < count; ++i) scalar.add(y[i], reference[i]);
      std::vector<std::vector<double>> all;
      for (const std::string& path : simd_paths()) {
        const ForcedSimd forced(path.c_str());
        ErrorCounts vectors(format);
        vectors.add(y.data(), reference.data(), static_cast<std::int64_t>(count));
        EXPECT_EQ(figures(vectors.result()), figures(scalar.result())) << path << " " << count;
        all.push_back(figures(metrics(y, reference, format)));
        EXPECT_EQ(all.back(), all.front()) << path << " " << count;
      }
    }
}

TEST(ErrorMetrics, NormsOfLongArraysAgreeWithSumsInLongDouble) {
  std::vector<double> y = awkward(10000, 3), reference = awkward(10000, 4);
  for (double& x : y) x = std::isfinite(x) && std::fabs(x) < 1e100 ? x : 1.0;
  for (double& x : reference) x = std::isfinite(x) && std::fabs(x) < 1e100 ? x : 1.0;
  long double errors = 0, references = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const long double error = static_cast<long double>(y[i]) - reference[i];
    errors += error * error;
    references += static_cast<long double>(reference[i]) * reference[i];
  }
  EXPECT_NEAR(*metrics(y, reference).rel_fro, static_cast<double>(std::sqrt(errors / references)),
              1e-14);
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

void expect_close(const std::optional<double>& x, const std::optional<double>& y) {
  ASSERT_EQ(x.has_value(), y.has_value());
  if (x) {
    EXPECT_NEAR(*x, *y, 1e-13 * std::fabs(*y));
  }
}

// Values that grow towards the end: the scale of the norms has to follow.
TEST(ErrorStream, PiecesGiveTheFiguresOfTheWholeArray) {
  for (const int spread : {4, 40, 900}) {
    std::vector<double> y, reference;
    std::uint64_t state = 5;
    for (int i = 0; i < 3000; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const double x = static_cast<double>(state >> 11) * 0x1p-53 - 0.5;
      reference.push_back(std::ldexp(x, i * spread / 3000));
      y.push_back(std::ldexp(std::nearbyint(x * 64.0) / 64.0, i * spread / 3000));
    }
    y[7] = kInfinity;
    y[9] = std::nan("");
    reference[11] = 0.0;
    ErrorStream stream(fp16());
    for (std::size_t at = 0; at < y.size(); at += 77)
      stream.add(y.data() + at, reference.data() + at,
                 static_cast<std::int64_t>(std::min<std::size_t>(77, y.size() - at)));
    const ErrorMetrics pieces = stream.result();
    const ErrorMetrics whole = metrics(y, reference);
    EXPECT_EQ(pieces.count, whole.count);
    EXPECT_EQ(pieces.max_abs, whole.max_abs);
    EXPECT_EQ(pieces.max_rel, whole.max_rel);
    EXPECT_EQ(pieces.ulp_mean, whole.ulp_mean);
    EXPECT_EQ(pieces.bias, whole.bias);
    EXPECT_EQ(pieces.nan, whole.nan);
    EXPECT_EQ(pieces.inf, whole.inf);
    EXPECT_EQ(pieces.overflow_pct, whole.overflow_pct);
    EXPECT_EQ(pieces.underflow_pct, whole.underflow_pct);
    expect_close(pieces.rel_fro, whole.rel_fro);
    expect_close(pieces.sqnr_db, whole.sqnr_db);
    expect_close(pieces.cosine, whole.cosine);
    expect_close(pieces.rmse, whole.rmse);
  }
}

}  // namespace
}  // namespace npusim::precision
