// SPDX-License-Identifier: Apache-2.0
// Normalisations: each against its formula over explicit lists of the elements of a group, in long
// double; gradients; binary32 steps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "ops_support.h"

namespace npusim::workloads {
namespace {

using testing::error_of;
using testing::expect_near;
using testing::expect_right_gradients;
using testing::fp32_rounder;
using ::testing::HasSubstr;
using testing::ints;
using testing::one;
using testing::random_floats;
using testing::random_tensor;
using testing::run_op;
using testing::run_op_outputs;
using testing::typed_tensor;
using Real = long double;

/// Groups of x[N, C, W] as lists of offsets, and the parameter of each offset.
struct Grouping {
  std::vector<std::vector<std::size_t>> groups;
  std::function<std::size_t(std::size_t)> parameter;
};

Grouping grouped(std::size_t n, std::size_t c, std::size_t w,
                 const std::function<std::size_t(std::size_t, std::size_t, std::size_t)>& group,
                 std::size_t count, std::function<std::size_t(std::size_t)> parameter) {
  Grouping result{std::vector<std::vector<std::size_t>>(count), std::move(parameter)};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < c; ++j)
      for (std::size_t k = 0; k < w; ++k)
        result.groups[group(i, j, k)].push_back((i * c + j) * w + k);
  return result;
}

std::vector<double> by_definition(const Grouping& g, const Tensor& x, const Tensor& scale,
                                  const Tensor* bias, Real epsilon, bool centred) {
  std::vector<double> y(x.values.size());
  for (const auto& group : g.groups) {
    Real mean = 0, variance = 0;
    for (const std::size_t i : group) mean += x.values[i];
    mean = centred ? mean / static_cast<Real>(group.size()) : 0;
    for (const std::size_t i : group) variance += (x.values[i] - mean) * (x.values[i] - mean);
    variance /= static_cast<Real>(group.size());
    for (const std::size_t i : group) {
      const std::size_t p = g.parameter(i);
      const Real n = (x.values[i] - mean) / std::sqrt(variance + epsilon);
      y[i] = static_cast<double>(n * scale.values[p] +
                                 (bias == nullptr ? 0 : static_cast<Real>(bias->values[p])));
    }
  }
  return y;
}

constexpr std::size_t kN = 3, kC = 4, kW = 5;

struct Case {
  const char* op;
  Attributes attributes;
  Shape parameters;
  Grouping grouping;
  bool centred = true;
  bool has_bias = true;
};

std::vector<Case> cases() {
  const auto channel = [](std::size_t i) { return i / kW % kC; };
  return {
      {"LayerNormalization",
       {{"axis", one(-1)}},
       {kW},
       grouped(
           kN, kC, kW, [](auto i, auto j, auto) { return i * kC + j; }, kN * kC,
           [](std::size_t i) { return i % kW; })},
      {"LayerNormalization",
       {{"axis", one(1)}},
       {kC, kW},
       grouped(
           kN, kC, kW, [](auto i, auto, auto) { return i; }, kN,
           [](std::size_t i) { return i % (kC * kW); })},
      {"RMSNormalization",
       {},
       {kW},
       grouped(
           kN, kC, kW, [](auto i, auto j, auto) { return i * kC + j; }, kN * kC,
           [](std::size_t i) { return i % kW; }),
       false,
       false},
      {"GroupNormalization",
       {{"num_groups", one(2)}},
       {kC},
       grouped(
           kN, kC, kW, [](auto i, auto j, auto) { return i * 2 + j / 2; }, kN * 2, channel)},
      {"InstanceNormalization",
       {},
       {kC},
       grouped(
           kN, kC, kW, [](auto i, auto j, auto) { return i * kC + j; }, kN * kC, channel)},
  };
}

TEST(GroupNorms, EqualTheirDefinition) {
  const Tensor x = random_tensor({kN, kC, kW}, 1);
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.op);
    const Tensor scale = random_tensor(c.parameters, 2);
    const Tensor bias = random_tensor(c.parameters, 3);
    const std::vector<double> expected =
        by_definition(c.grouping, x, scale, c.has_bias ? &bias : nullptr, 1e-5L, c.centred);
    const std::vector<Tensor> inputs =
        c.has_bias ? std::vector<Tensor>{x, scale, bias} : std::vector<Tensor>{x, scale};
    expect_near(run_op(c.op, inputs, c.attributes), x.shape, expected, 1e-13);
  }
}

TEST(GroupNorms, GradientsAreRight) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.op);
    std::vector<Tensor> inputs = {random_tensor({kN, kC, kW}, 4), random_tensor(c.parameters, 5)};
    if (c.has_bias) inputs.push_back(random_tensor(c.parameters, 6));
    expect_right_gradients(c.op, inputs, c.attributes);
  }
}

TEST(GroupNorms, InternalFormatDecidesTheError) {
  Tensor x = random_floats({2, 1000}, 7);
  for (double& value : x.values) value = static_cast<float>(value + 100.0);
  const Tensor scale = typed_tensor({1000}, ElementType::floating, std::vector<double>(1000, 1.0));
  const Tensor exact = run_op("LayerNormalization", {x, scale});
  const auto worst = [&](const precision::Rounder& rounder) {
    const Tensor y = run_op("LayerNormalization", {x, scale}, {}, rounder);
    double error = 0.0;
    for (std::size_t i = 0; i < y.values.size(); ++i)
      error = std::max(error, std::fabs(y.values[i] - exact.values[i]));
    return error;
  };
  EXPECT_LT(worst(fp32_rounder()), 1e-4);
  EXPECT_GT(worst(precision::Rounder({precision::bf16(), precision::Rounding::rne})), 0.1);
}

TEST(LayerNormalization, GivesItsStatistics) {
  const Tensor x = typed_tensor({1, 4}, ElementType::floating, {1, 2, 3, 6});
  const Tensor scale = typed_tensor({4}, ElementType::floating, {1, 1, 1, 1});
  const std::vector<Tensor> y =
      run_op_outputs("LayerNormalization", {x, scale}, {{"epsilon", 0.5}}, 3);
  expect_near(y[1], {1, 1}, {3}, 0.0);
  expect_near(y[2], {1, 1}, {0.5}, 0.0);  // variance 3.5
  EXPECT_THAT(error_of("LayerNormalization", {{2, 3}, {2}}), HasSubstr("must have shape [3]"));
}

TEST(GroupNormalization, GroupsMustDivideTheChannels) {
  EXPECT_THAT(error_of("GroupNormalization", {{1, 4, 2}, {4}, {4}}, {{"num_groups", one(3)}}),
              HasSubstr("does not divide"));
}

TEST(BatchNormalization, TrainsWithTheStatisticsOfTheBatch) {
  const Tensor x = random_tensor({kN, kC, kW}, 1);
  const Tensor scale = random_tensor({kC}, 2), bias = random_tensor({kC}, 3);
  const Tensor mean = random_tensor({kC}, 4), var = random_tensor({kC}, 5);
  const Grouping channels = grouped(
      kN, kC, kW, [](auto, auto j, auto) { return j; }, kC,
      [](std::size_t i) { return i / kW % kC; });
  const Attributes training = {{"training_mode", one(1)}, {"momentum", 0.75}};
  const std::vector<Tensor> y =
      run_op_outputs("BatchNormalization", {x, scale, bias, mean, var}, training, 3);
  expect_near(y[0], x.shape, by_definition(channels, x, scale, &bias, 1e-5L, true), 1e-13);
  expect_right_gradients("BatchNormalization", {x, scale, bias, mean, var}, training);
  for (std::size_t c = 0; c < kC; ++c) {
    double sum = 0.0, squares = 0.0;
    for (const std::size_t i : channels.groups[c]) sum += x.values[i];
    const double now = sum / (kN * kW);
    for (const std::size_t i : channels.groups[c]) squares += std::pow(x.values[i] - now, 2);
    EXPECT_NEAR(y[1].values[c], 0.75 * mean.values[c] + 0.25 * now, 1e-14);
    EXPECT_NEAR(y[2].values[c], 0.75 * var.values[c] + 0.25 * squares / (kN * kW), 1e-14);
  }
}

TEST(MeanVarianceNormalization, EqualsItsDefinition) {
  const Tensor x = random_tensor({2, 3, 2, 2}, 1);
  const Tensor y = run_op("MeanVarianceNormalization", {x});
  const Grouping channels = grouped(
      2, 3, 4, [](auto, auto j, auto) { return j; }, 3, [](std::size_t) { return std::size_t{0}; });
  const Tensor unit = typed_tensor({1}, ElementType::floating, {1});
  expect_near(y, x.shape, by_definition(channels, x, unit, nullptr, 0, true), 1e-8);
  expect_right_gradients("MeanVarianceNormalization", {x}, {{"axes", ints({1, 2})}});
}

TEST(LpNormalization, DividesByTheNorm) {
  const Tensor x = typed_tensor({2, 2}, ElementType::floating, {3, -4, 0, 0});
  expect_near(run_op("LpNormalization", {x}), {2, 2}, {0.6, -0.8, 0, 0}, 1e-15);
  expect_near(run_op("LpNormalization", {x}, {{"p", one(1)}}), {2, 2}, {3.0 / 7, -4.0 / 7, 0, 0},
              1e-15);
  for (const std::int64_t p : {1, 2})
    expect_right_gradients("LpNormalization", {random_tensor({3, 4, 2}, 1)},
                           {{"p", one(p)}, {"axis", one(1)}});
}

TEST(Lrn, EqualsItsDefinition) {
  const Tensor x = random_tensor({2, 6, 3}, 1);
  for (const std::int64_t size : {3, 4}) {
    const Attributes attributes = {
        {"size", one(size)}, {"alpha", 0.5}, {"beta", 0.6}, {"bias", 2.0}};
    const Tensor y = run_op("LRN", {x}, attributes);
    for (std::int64_t n = 0; n < 2; ++n)
      for (std::int64_t c = 0; c < 6; ++c)
        for (std::int64_t k = 0; k < 3; ++k) {
          const auto at = [&](std::int64_t channel) {
            return x.values[static_cast<std::size_t>((n * 6 + channel) * 3 + k)];
          };
          double squares = 0.0;
          const std::int64_t first = c - (size - 1) / 2;
          for (std::int64_t other = first; other < first + size; ++other)
            if (other >= 0 && other < 6) squares += at(other) * at(other);
          const double expected =
              at(c) / std::pow(2.0 + 0.5 / static_cast<double>(size) * squares, 0.6);
          ASSERT_NEAR(y.values[static_cast<std::size_t>((n * 6 + c) * 3 + k)], expected, 1e-14);
        }
    expect_right_gradients("LRN", {x}, attributes);
  }
}

}  // namespace
}  // namespace npusim::workloads
