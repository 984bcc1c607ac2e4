// SPDX-License-Identifier: Apache-2.0
// What the literature says of chains of additions in narrow accumulators: swamping (Micikevicius et
// al. 2018, §3.1; Wang et al. 2018), the bias of truncation, and errors that do not grow with the
// length for data of mean zero (Higham & Mary 2020).
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "precision/counter_random.h"
#include "precision/rounding.h"
#include "units.h"

namespace npusim::precision {
namespace {

/// The sum in order, rounded after every addition.
double chain(const std::vector<double>& terms, const Arithmetic& arithmetic, RandomKey key = {}) {
  double sum = 0.0;
  std::uint32_t step = 0;
  for (const double x : terms)
    sum = round_to(odd_sum(sum, x), arithmetic, random_word(key, step++));
  return sum;
}

/// Where adding ones to `start` stops.
double stall(const Format& format, double start) {
  for (double sum = start;;) {
    const double next = round_to(odd_sum(sum, 1.0), format, Rounding::rne);
    if (next == sum) return sum;
    sum = next;
  }
}

TEST(Predictions, T1SumsOfOnesStopAtTwoToThePrecision) {
  EXPECT_EQ(stall(format_from_name("fp8_e5m2"), 0.0), 8.0);
  EXPECT_EQ(stall(format_from_name("fp8_e4m3"), 0.0), 16.0);
  EXPECT_EQ(stall(bf16(), 0.0), 256.0);
  EXPECT_EQ(stall(format_from_name("e6m9"), 0.0), 1024.0);
  EXPECT_EQ(stall(fp16(), 0.0), 2048.0);
  EXPECT_EQ(stall(tf32(), 0.0), 2048.0);
  EXPECT_EQ(stall(fp32(), 16777216.0 - 5000.0), 16777216.0);
}

TEST(Predictions, T1MeanOf768OnesInBf16IsAThird) {
  const double sum = chain(std::vector<double>(768, 1.0), {bf16(), Rounding::rne});
  EXPECT_NEAR(sum / 768.0, 0.333, 0.001);
}

TEST(Predictions, T3Fp16LosesUpdatesOfARelative2To11) {
  const auto half = [](double x) { return round_to(x, fp16(), Rounding::rne); };
  EXPECT_EQ(half(1.0 + 0x1p-11), 1.0);
  EXPECT_NE(half(1.0 - 0x1p-11), 1.0);
  EXPECT_EQ(half(1.0 - 0x1p-12), 1.0);
  EXPECT_NE(half(1.0 + 0x1.004p-11), 1.0);
}

TEST(Predictions, T4WhatFp16Underflows) {
  const auto half = [](double x, Rounding rounding) { return round_to(x, fp16(), rounding); };
  EXPECT_EQ(half(0x1p-25, Rounding::rne), 0.0);
  EXPECT_EQ(half(0x1.0000000000001p-25, Rounding::rne), 0x1p-24);
  EXPECT_EQ(half(0x1.fffffffffffffp-25, Rounding::rne), 0x1p-24);
  EXPECT_EQ(half(0x1.fffffffffffffp-25, Rounding::rtz), 0.0);
  EXPECT_EQ(half(0x1p-24, Rounding::rtz), 0x1p-24);
}

/// Mean over many draws of |error| / sum of magnitudes of n terms rounded to BF16.
template <class Draw>
double mean_error(int n, const Arithmetic& arithmetic, int draws, Draw draw) {
  units::Random random(static_cast<std::uint64_t>(n));
  double total = 0.0;
  for (int d = 0; d < draws; ++d) {
    std::vector<double> terms;
    double exact = 0.0;
    double magnitude = 0.0;
    for (int i = 0; i < n; ++i) {
      terms.push_back(round_to(draw(random), bf16(), Rounding::rne));
      exact += terms.back();
      magnitude += std::fabs(terms.back());
    }
    const double sum = chain(terms, arithmetic, derived_key({}, static_cast<std::uint64_t>(d)));
    total += std::fabs(sum - exact) / magnitude;
  }
  return total / draws;
}

double uniform(units::Random& random) {
  return random.uniform();
}

/// The sum of twelve uniform draws less six: mean 0, deviation 1.
double normal(units::Random& random) {
  double sum = -6.0;
  for (int i = 0; i < 12; ++i) sum += random.uniform();
  return sum;
}

TEST(Predictions, T10TruncationIsBiasedAndRoundingStalls) {
  const Arithmetic rtz{bf16(), Rounding::rtz};
  EXPECT_NEAR(mean_error(16, rtz, 400, uniform), 2.0e-2, 0.4e-2);
  EXPECT_NEAR(mean_error(64, rtz, 200, uniform), 8.0e-2, 1.6e-2);
  EXPECT_NEAR(mean_error(256, rtz, 100, uniform), 3.0e-1, 0.6e-1);
  const Arithmetic rne{bf16(), Rounding::rne};
  EXPECT_NEAR(mean_error(16, rne, 400, uniform), 3.0e-3, 1.5e-3);
  EXPECT_NEAR(mean_error(64, rne, 200, uniform), 6.0e-3, 3.0e-3);
  EXPECT_NEAR(mean_error(256, rne, 100, uniform), 1.1e-2, 0.5e-2);
  EXPECT_NEAR(mean_error(1024, rne, 40, uniform), 0.50, 0.03);
  EXPECT_NEAR(mean_error(4096, rne, 10, uniform), 0.875, 0.01);
  // Stochastic rounding goes on where rounding to nearest stalls.
  const Arithmetic sr{bf16(), Rounding::sr, 24};
  EXPECT_NEAR(mean_error(1024, sr, 100, uniform), 0.030, 0.015);
  EXPECT_NEAR(mean_error(4096, sr, 60, uniform), 0.040, 0.020);
}

TEST(Predictions, T11ErrorsOfZeroMeanDataDoNotGrowWithTheLength) {
  for (const int n : {16, 64, 256, 1024, 4096}) {
    const double error = mean_error(n, {bf16(), Rounding::rne}, n > 500 ? 100 : 400, normal);
    EXPECT_GT(error, 0.6e-3) << n;
    EXPECT_LT(error, 1.5e-3) << n;
  }
}

}  // namespace
}  // namespace npusim::precision
