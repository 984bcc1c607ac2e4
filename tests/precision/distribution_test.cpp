// SPDX-License-Identifier: Apache-2.0
#include "precision/distribution.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace npusim::precision {
namespace {

Distribution of(const std::vector<double>& values, const ParallelFor& parallel = serial()) {
  return distribution_of(values.data(), static_cast<std::int64_t>(values.size()), parallel);
}

TEST(Distribution, WorkedByHand) {
  // Mean 1, deviations -1, -1, 1, 3, -2: squares 16 / 5, fourth powers 100 / 5.
  const Distribution d = of({0, 0, 2, 4, -1});
  EXPECT_EQ(d.count, 5);
  EXPECT_EQ(d.mean, 1.0);
  EXPECT_DOUBLE_EQ(d.stddev, std::sqrt(3.2));
  EXPECT_EQ(d.max_abs, 4.0);
  EXPECT_DOUBLE_EQ(d.kurtosis, 20.0 / (3.2 * 3.2));
  EXPECT_EQ(d.zero_pct, 40.0);
}

TEST(Distribution, ConstantsAndNothing) {
  EXPECT_EQ(of({}).count, 0);
  EXPECT_EQ(of({0, 0}).stddev, 0.0);
  EXPECT_EQ(of({3, 3, 3}).mean, 3.0);
  EXPECT_EQ(of({3, 3, 3}).stddev, 0.0);
  EXPECT_EQ(of({3, 3, 3}).kurtosis, 0.0);
}

TEST(Distribution, LargeArraysAgreeWithLongDoubleAndDoNotDependOnTheOrderOfWork) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal(0.5, 2.0);
  std::vector<double> values(100003);
  for (double& x : values) x = normal(random);
  long double mean = 0, squares = 0, fourth = 0;
  for (const double x : values) mean += x;
  mean /= static_cast<long double>(values.size());
  for (const double x : values) {
    const long double apart = x - mean;
    squares += apart * apart;
    fourth += apart * apart * apart * apart;
  }
  const auto n = static_cast<long double>(values.size());
  const Distribution d = of(values);
  EXPECT_NEAR(d.mean, static_cast<double>(mean), 1e-13);
  EXPECT_NEAR(d.stddev, static_cast<double>(std::sqrt(squares / n)), 1e-12);
  EXPECT_NEAR(d.kurtosis, static_cast<double>(fourth / n / (squares / n) / (squares / n)), 1e-11);
  const ParallelFor backwards = [](std::int64_t count,
                                   const std::function<void(std::int64_t)>& body) {
    for (std::int64_t i = count; i-- > 0;) body(i);
  };
  EXPECT_EQ(of(values, backwards).stddev, d.stddev);
  EXPECT_EQ(of(values, backwards).mean, d.mean);
}

TEST(Distribution, WhatIsNotFiniteIsLeftOut) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Distribution d = of({1, -1, infinity, std::nan(""), -infinity});
  EXPECT_EQ(d.count, 2);
  EXPECT_EQ(d.mean, 0.0);
  EXPECT_EQ(d.max_abs, 1.0);
}

}  // namespace
}  // namespace npusim::precision
