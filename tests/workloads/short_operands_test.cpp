// SPDX-License-Identifier: Apache-2.0
// Kept values of functions are the function's own, whatever operands come in which order.
#include "workloads/ops/short_operands.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "base/thread_pool.h"
#include "ops_support.h"
#include "precision/rounding.h"
#include "workloads/detmath.h"

namespace npusim::workloads {
namespace {

using testing::run_op;

std::uint64_t bits_of(double x) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

/// Not zero, infinite or NaN anywhere but where it should be.
void cubes(const double* x, double* y, int count) {
  for (int i = 0; i < count; ++i) y[i] = x[i] * x[i] * x[i];
}

void expect_cubes(const ShortOperandValues& kept, std::vector<double> x) {
  std::vector<double> want(x.size());
  cubes(x.data(), want.data(), static_cast<int>(x.size()));
  kept.values(x.data(), x.data(), static_cast<int>(x.size()), cubes);
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(bits_of(x[i]), bits_of(want[i])) << i;
}

TEST(ShortOperands, EveryOneOfThemAndItsNeighbours) {
  const ShortOperandValues kept;
  for (int round = 0; round < 2; ++round) {  // computed, then found
    std::vector<double> x;
    for (std::uint32_t encoding = 0; encoding < (1U << 19); ++encoding) {
      const std::uint32_t bits = encoding << 13;
      float narrow = 0.0F;
      std::memcpy(&narrow, &bits, sizeof narrow);
      if (narrow != narrow) continue;  // one NaN is below
      x.push_back(static_cast<double>(narrow));
      if (encoding % 97 == 0) x.push_back(std::nextafter(x.back(), 1.0));
    }
    expect_cubes(kept, x);
  }
}

TEST(ShortOperands, LongOnesInBetweenAndNan) {
  const ShortOperandValues kept;
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  for (int round = 0; round < 200; ++round) {
    std::vector<double> x(random() % 700);
    const auto of_long = random() % 3;
    for (double& value : x) {
      value = normal(random);
      if (of_long == 0 || (of_long == 1 && random() % 2 == 0))
        value = precision::round_to(value, precision::bf16(), precision::Rounding::rne);
      if (random() % 50 == 0) value = std::numeric_limits<double>::quiet_NaN();
      if (random() % 50 == 0) value = -std::numeric_limits<double>::infinity();
    }
    expect_cubes(kept, x);
  }
}

TEST(ShortOperands, AreComputedOnce) {
  const ShortOperandValues kept;
  int asked = 0;
  const auto counted = [&](const double* x, double* y, int count) {
    asked += count;
    cubes(x, y, count);
  };
  std::vector<double> x = {0.0, -0.0, 1.5, -2.0, 65504.0, 0x1p-24};
  std::vector<double> y(x.size());
  for (int round = 0; round < 3; ++round)
    kept.values(x.data(), y.data(), static_cast<int>(x.size()), counted);
  EXPECT_EQ(asked, 6);
  const double third = 1.0 / 3.0;
  for (int round = 0; round < 3; ++round) kept.values(&third, y.data(), 1, counted);
  EXPECT_EQ(asked, 9);
}

TEST(ShortOperands, FromSeveralThreads) {
  const ShortOperandValues kept;
  base::ThreadPool pool(4);
  std::atomic<int> wrong{0};
  pool.parallel_for(64, [&](std::int64_t task) {
    std::mt19937 random(static_cast<unsigned>(task));
    std::vector<double> x(2000);
    for (double& value : x) value = static_cast<double>(random() % 2048) - 1024.0;
    std::vector<double> y(x.size());
    kept.values(x.data(), y.data(), 2000, cubes);
    for (std::size_t i = 0; i < x.size(); ++i) wrong += y[i] == x[i] * x[i] * x[i] ? 0 : 1;
  });
  EXPECT_EQ(wrong.load(), 0);
}

TEST(ShortOperands, GiveTanhAndGeluTheBitsOfOneByOne) {
  Tensor x({4, 1000});
  std::mt19937 random(9);
  std::normal_distribution<double> normal(0.0, 3.0);
  for (std::size_t i = 0; i < x.values.size(); ++i)
    x.values[i] =
        precision::round_to(normal(random), i % 3 == 0 ? precision::fp32() : precision::fp16(),
                            precision::Rounding::rne);
  const auto by_erf = [](double v) { return 0.5 * v * (1.0 + det_erf(v * 0.70710678118654752)); };
  const auto slope_by_erf = [](double v) {
    return 0.5 * (1.0 + det_erf(v * 0.70710678118654752)) +
           v * 0.39894228040143268 * det_exp(-0.5 * v * v);
  };
  const auto by_tanh = [](double v) {
    return 0.5 * v * (1.0 + det_tanh(0.79788456080286536 * (v + 0.044715 * v * v * v)));
  };
  for (int round = 0; round < 2; ++round) {
    const Tensor tanh = run_op("Tanh", {x});
    Tensor ones(x.shape);
    std::fill(ones.values.begin(), ones.values.end(), 1.0);
    const Tensor slope = run_op("GeluGradient", {ones, x}, {{"approximate", std::string("none")}});
    // Both forms of one op, whose values must not be mixed up.
    const Tensor erf_form = run_op("Gelu", {x}, {{"approximate", std::string("none")}});
    const Tensor tanh_form = run_op("Gelu", {x}, {{"approximate", std::string("tanh")}});
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      ASSERT_EQ(bits_of(tanh.values[i]), bits_of(det_tanh(x.values[i])));
      ASSERT_EQ(bits_of(erf_form.values[i]), bits_of(by_erf(x.values[i])));
      ASSERT_NEAR(slope.values[i], slope_by_erf(x.values[i]), 1e-15);
      ASSERT_EQ(bits_of(tanh_form.values[i]), bits_of(by_tanh(x.values[i])));
    }
  }
}

}  // namespace
}  // namespace npusim::workloads
