// SPDX-License-Identifier: Apache-2.0
// Element-wise functions of one input against the C library in long double, rounded to binary32 and
// not; derivatives against central differences.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "ops_support.h"

namespace npusim::workloads {
namespace {

using testing::error_of;
using testing::expect_near;
using testing::expect_right_gradients;
using testing::fp32_rounder;
using ::testing::HasSubstr;
using testing::one;
using testing::random_floats;
using testing::random_tensor;
using testing::run_op;
using testing::typed_tensor;
using testing::work_of;
using Real = long double;

struct Case {
  const char* op;
  Real (*definition)(Real);
  double low, high;  ///< of x
  Attributes attributes = {};
};

Real sigmoid(Real x) {
  return 1 / (1 + std::exp(-x));
}
Real hard_sigmoid(Real x, Real alpha, Real beta) {
  return std::max<Real>(0, std::min<Real>(1, alpha * x + beta));
}

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {"Abs", [](Real x) { return std::fabs(x); }, 0.1, 9},
      {"Neg", [](Real x) { return -x; }, -9, 9},
      {"Reciprocal", [](Real x) { return 1 / x; }, 0.3, 9},
      {"Sqrt", [](Real x) { return std::sqrt(x); }, 0.3, 90},
      {"Exp", [](Real x) { return std::exp(x); }, -8, 8},
      {"Log", [](Real x) { return std::log(x); }, 0.1, 90},
      {"Erf", [](Real x) { return std::erf(x); }, -3, 3},
      {"Sin", [](Real x) { return std::sin(x); }, -9, 9},
      {"Cos", [](Real x) { return std::cos(x); }, -9, 9},
      {"Tan", [](Real x) { return std::tan(x); }, -1, 1},
      {"Asin", [](Real x) { return std::asin(x); }, -0.9, 0.9},
      {"Acos", [](Real x) { return std::acos(x); }, -0.9, 0.9},
      {"Atan", [](Real x) { return std::atan(x); }, -5, 5},
      {"Sinh", [](Real x) { return std::sinh(x); }, -4, 4},
      {"Cosh", [](Real x) { return std::cosh(x); }, -4, 4},
      {"Tanh", [](Real x) { return std::tanh(x); }, -4, 4},
      {"Asinh", [](Real x) { return std::asinh(x); }, -4, 4},
      {"Acosh", [](Real x) { return std::acosh(x); }, 1.1, 9},
      {"Atanh", [](Real x) { return std::atanh(x); }, -0.9, 0.9},
      {"Sigmoid", sigmoid, -8, 8},
      {"Softplus", [](Real x) { return std::log1p(std::exp(x)); }, -8, 8},
      {"Softsign", [](Real x) { return x / (1 + std::fabs(x)); }, -8, 8},
      {"LeakyRelu", [](Real x) { return x < 0 ? 0.25L * x : x; }, -4, 4, {{"alpha", 0.25}}},
      {"Elu", [](Real x) { return x < 0 ? 2 * (std::exp(x) - 1) : x; }, -4, 4, {{"alpha", 2.0}}},
      {"Selu",
       [](Real x) {
         return 1.05070102214813232421875L *
                (x < 0 ? 1.67326319217681884765625L * (std::exp(x) - 1) : x);
       },
       -4, 4},
      {"Celu",
       [](Real x) { return std::max<Real>(0, x) + std::min<Real>(0, 2 * (std::exp(x / 2) - 1)); },
       -4,
       4,
       {{"alpha", 2.0}}},
      {"Gelu", [](Real x) { return x * (1 + std::erf(x / std::sqrt(2.0L))) / 2; }, -4, 4},
      {"Gelu",
       [](Real x) {
         const Real pi = 3.14159265358979323846L;
         return x / 2 * (1 + std::tanh(std::sqrt(2 / pi) * (x + 0.044715L * x * x * x)));
       },
       -4,
       4,
       {{"approximate", std::string("tanh")}}},
      {"HardSigmoid",
       [](Real x) { return hard_sigmoid(x, 0.5L, 0.25L); },
       -4,
       4,
       {{"alpha", 0.5}, {"beta", 0.25}}},
      {"HardSwish", [](Real x) { return x * hard_sigmoid(x, 1 / 6.0L, 0.5L); }, -5, 5},
      {"Mish", [](Real x) { return x * std::tanh(std::log1p(std::exp(x))); }, -5, 5},
      {"Swish", [](Real x) { return x * sigmoid(2 * x); }, -5, 5, {{"alpha", 2.0}}},
      {"ThresholdedRelu", [](Real x) { return x > 1 ? x : 0; }, -4, 4},
      {"Shrink",
       [](Real x) { return x < -1.5L  ? x + 1
                           : x > 1.5L ? x - 1
                                      : 0; },
       -4,
       4,
       {{"bias", 1.0}, {"lambd", 1.5}}},
      {"Floor", [](Real x) { return std::floor(x); }, -4, 4},
      {"Ceil", [](Real x) { return std::ceil(x); }, -4, 4},
      {"Round", [](Real x) { return std::nearbyint(x); }, -4, 4},
      {"Sign", [](Real x) { return x < 0 ? -1.0L : 1.0L; }, -4, 4},
  };
  return kCases;
}

Tensor spread(const Case& c, const Shape& shape, std::uint64_t seed) {
  Tensor x = random_tensor(shape, seed);
  for (double& value : x.values)
    value = static_cast<float>(c.low + (value + 1.0) / 2.0 * (c.high - c.low));
  return x;
}

TEST(Unary, EqualsItsDefinition) {
  for (const Case& c : cases()) {
    const Tensor x = spread(c, {5, 40}, 1);
    const Tensor y = run_op(c.op, {x}, c.attributes);
    ASSERT_EQ(y.shape, x.shape) << c.op;
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      const Real expected = c.definition(x.values[i]);
      // 2 ulp of the function, and what cancellation near a zero of the result leaves.
      ASSERT_NEAR(y.values[i], static_cast<double>(expected),
                  4.5e-16 * std::fabs(static_cast<double>(expected)) + 4e-16)
          << c.op << "(" << x.values[i] << ")";
    }
  }
}

TEST(Unary, Binary32ResultsAreWithinOneUlp) {
  for (const Case& c : cases()) {
    const Tensor x = spread(c, {500}, 2);
    const Tensor y = run_op(c.op, {x}, c.attributes, fp32_rounder());
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      const auto exact = static_cast<float>(c.definition(x.values[i]));
      const double ulp = std::nextafter(std::fabs(exact), INFINITY) - std::fabs(exact);
      ASSERT_LE(std::fabs(y.values[i] - static_cast<double>(exact)), ulp) << c.op << x.values[i];
    }
  }
}

TEST(Unary, GradientsAreRight) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.op);
    expect_right_gradients(c.op, {spread(c, {3, 7}, 3)}, c.attributes);
    expect_right_gradients(c.op, {spread(c, {11}, 4)}, c.attributes);
  }
}

TEST(Unary, KeepsNanAndSaturatesWhereTheFunctionDoes) {
  const Tensor nan = typed_tensor({1}, ElementType::floating, {std::nan("")});
  for (const Case& c : cases())
    if (c.op != std::string("Shrink")) {
      EXPECT_TRUE(std::isnan(run_op(c.op, {nan}, c.attributes).values[0])) << c.op;
    }
  const Tensor large = typed_tensor({2}, ElementType::floating, {1e4, -1e4});
  expect_near(run_op("Sigmoid", {large}), {2}, {1, 0}, 0.0);
  expect_near(run_op("Softplus", {large}), {2}, {1e4, 0}, 0.0);
  expect_near(run_op("Mish", {large}), {2}, {1e4, 0}, 0.0);
  expect_near(run_op("Gelu", {large}), {2}, {1e4, 0}, 0.0);
  expect_near(run_op("Round", {typed_tensor({3}, ElementType::floating, {0.5, 1.5, -2.5})}), {3},
              {0, 2, -2}, 0.0);
}

TEST(Unary, IntegersWrapOrAreRefused) {
  const Tensor x = typed_tensor({2}, ElementType::int8, {-128, 5});
  const Tensor y = run_op("Abs", {x});
  EXPECT_EQ(y.type, ElementType::int8);
  expect_near(y, {2}, {-128, 5}, 0.0);
  EXPECT_THROW(run_op("Exp", {x}), base::InputError);
}

TEST(Unary, WorkIsOneOfEachFunctionAnElement) {
  EXPECT_EQ(work_of("Tanh", {{3, 4}}), (std::map<std::string, std::int64_t>{{"exp", 12}}));
  EXPECT_EQ(work_of("Gelu", {{2}}), (std::map<std::string, std::int64_t>{{"exp", 2}, {"mul", 4}}));
  EXPECT_THAT(error_of("Gelu", {{2}}, {{"approximate", std::string("sigmoid")}}),
              HasSubstr("none of none, tanh"));
}

TEST(PRelu, ScalesNegativesByTheBroadcastSlope) {
  const Tensor x = typed_tensor({2, 2}, ElementType::floating, {-1, 2, 3, -4});
  const Tensor slope = typed_tensor({2}, ElementType::floating, {0.5, 0.25});
  expect_near(run_op("PRelu", {x, slope}), {2, 2}, {-0.5, 2, 3, -1}, 0.0);
  expect_right_gradients("PRelu", {random_tensor({2, 3, 4}, 1), random_tensor({3, 1}, 2)});
  EXPECT_THAT(error_of("PRelu", {{2}, {3, 2}}), HasSubstr("does not broadcast"));
}

TEST(Clip, LimitsByInputsOrAttributes) {
  const auto scalar = [](double value) { return typed_tensor({}, ElementType::floating, {value}); };
  const Tensor x = typed_tensor({3}, ElementType::floating, {-3, 0.5, 3});
  const Tensor none({0});
  expect_near(run_op("Clip", {x, scalar(-1), scalar(2)}), {3}, {-1, 0.5, 2}, 0.0);
  expect_near(run_op("Clip", {x, none, scalar(2)}), {3}, {-3, 0.5, 2}, 0.0);
  expect_near(run_op("Clip", {x}, {{"min", 0.0}, {"max", 6.0}}), {3}, {0, 0.5, 3}, 0.0);
  expect_right_gradients("Clip", {random_tensor({20}, 5)}, {{"min", -0.5}, {"max", 0.5}});
}

}  // namespace
}  // namespace npusim::workloads
