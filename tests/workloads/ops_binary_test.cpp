// SPDX-License-Identifier: Apache-2.0
// Pow, comparisons, logic, bits, remainders, Where, and the ops of any number of inputs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "ops_support.h"

namespace npusim::workloads {
namespace {

using testing::expect_near;
using testing::expect_right_gradients;
using testing::fp32_rounder;
using testing::one;
using testing::random_tensor;
using testing::run_op;
using testing::typed_tensor;

Tensor floats(const std::vector<double>& values) {
  return typed_tensor({static_cast<std::int64_t>(values.size())}, ElementType::floating, values);
}
Tensor of_type(ElementType type, const std::vector<double>& values) {
  return typed_tensor({static_cast<std::int64_t>(values.size())}, type, values);
}
Tensor positive(const Shape& shape, std::uint64_t seed) {
  Tensor x = random_tensor(shape, seed);
  for (double& value : x.values) value = std::fabs(value) + 0.5;
  return x;
}

TEST(IntegerArithmetic, WrapsAndTruncates) {
  const Tensor a = of_type(ElementType::int8, {100, -7, -128});
  const Tensor b = of_type(ElementType::int8, {100, 2, -1});
  expect_near(run_op("Add", {a, b}), {3}, {-56, -5, 127}, 0.0);
  expect_near(run_op("Mul", {a, b}), {3}, {16, -14, -128}, 0.0);
  expect_near(run_op("Div", {a, b}), {3}, {1, -3, -128}, 0.0);
  const Tensor c = of_type(ElementType::uint8, {3});
  expect_near(run_op("Sub", {c, of_type(ElementType::uint8, {5})}), {1}, {254}, 0.0);
  EXPECT_THROW(run_op("Add", {a, c}), base::InputError);
}

TEST(IntegerArithmetic, IsNotRoundedToTheInternalFormat) {
  const Tensor a = of_type(ElementType::int32, {16777217});
  EXPECT_EQ(run_op("Add", {a, a}, {}, fp32_rounder()).values[0], 33554434.0);
}

TEST(Pow, EqualsItsDefinition) {
  const Tensor a = positive({3, 4}, 1);
  const Tensor b = random_tensor({4}, 2);
  const Tensor y = run_op("Pow", {a, b});
  for (std::size_t i = 0; i < 12; ++i)
    EXPECT_NEAR(y.values[i], std::pow(a.values[i], b.values[i % 4]), 1e-15);
  expect_near(run_op("Pow", {floats({2, -3}), of_type(ElementType::int64, {10, 3})}), {2},
              {1024, -27}, 0.0);
  expect_right_gradients("Pow", {a, b});
  expect_right_gradients("Pow", {positive({4}, 3), random_tensor({2, 4}, 4)});
}

TEST(Comparisons, HaveTheirTruthTables) {
  const Tensor a = floats({1, 2, 3, std::nan("")});
  const Tensor b = floats({2, 2, 2, 1});
  const auto expect = [&](const char* op, std::vector<double> values) {
    const Tensor y = run_op(op, {a, b});
    EXPECT_EQ(y.type, ElementType::boolean);
    expect_near(y, {4}, values, 0.0);
  };
  expect("Equal", {0, 1, 0, 0});
  expect("Less", {1, 0, 0, 0});
  expect("LessOrEqual", {1, 1, 0, 0});
  expect("Greater", {0, 0, 1, 0});
  expect("GreaterOrEqual", {0, 1, 1, 0});
  const Tensor p = of_type(ElementType::boolean, {0, 0, 1, 1});
  const Tensor q = of_type(ElementType::boolean, {0, 1, 0, 1});
  expect_near(run_op("And", {p, q}), {4}, {0, 0, 0, 1}, 0.0);
  expect_near(run_op("Or", {p, q}), {4}, {0, 1, 1, 1}, 0.0);
  expect_near(run_op("Xor", {p, q}), {4}, {0, 1, 1, 0}, 0.0);
  expect_near(run_op("Not", {p}), {4}, {1, 1, 0, 0}, 0.0);
}

TEST(Comparisons, FindNonFiniteValues) {
  const Tensor x = floats({1, std::nan(""), INFINITY, -INFINITY});
  expect_near(run_op("IsNaN", {x}), {4}, {0, 1, 0, 0}, 0.0);
  expect_near(run_op("IsInf", {x}), {4}, {0, 0, 1, 1}, 0.0);
  expect_near(run_op("IsInf", {x}, {{"detect_negative", one(0)}}), {4}, {0, 0, 1, 0}, 0.0);
}

TEST(Bits, EqualTheMachineOperators) {
  for (int a = -128; a < 128; a += 5)
    for (int b = -128; b < 128; b += 9) {
      const Tensor x = of_type(ElementType::int8, {static_cast<double>(a)});
      const Tensor y = of_type(ElementType::int8, {static_cast<double>(b)});
      ASSERT_EQ(run_op("BitwiseAnd", {x, y}).values[0], a & b);
      ASSERT_EQ(run_op("BitwiseOr", {x, y}).values[0], a | b);
      ASSERT_EQ(run_op("BitwiseXor", {x, y}).values[0], a ^ b);
      ASSERT_EQ(run_op("BitwiseNot", {x}).values[0], ~a);
    }
  const Tensor x = of_type(ElementType::uint8, {16, 4, 129});
  const Tensor by = of_type(ElementType::uint8, {1, 2, 1});
  expect_near(run_op("BitShift", {x, by}, {{"direction", std::string("LEFT")}}), {3}, {32, 16, 2},
              0.0);
  expect_near(run_op("BitShift", {x, by}, {{"direction", std::string("RIGHT")}}), {3}, {8, 1, 64},
              0.0);
}

TEST(Mod, HasTheSignOfEitherOperand) {
  const Tensor a = of_type(ElementType::int32, {-4, 7, 5, 4, -7, 8});
  const Tensor b = of_type(ElementType::int32, {2, -3, 8, -2, 3, 5});
  expect_near(run_op("Mod", {a, b}), {6}, {0, -2, 5, 0, 2, 3}, 0.0);
  expect_near(run_op("Mod", {a, b}, {{"fmod", one(1)}}), {6}, {0, 1, 5, 0, -1, 3}, 0.0);
}

TEST(Where, ChoosesAndSendsGradientsBack) {
  const Tensor condition = typed_tensor({2, 1}, ElementType::boolean, {1, 0});
  const Tensor a = floats({1, 2, 3});
  const Tensor b = typed_tensor({}, ElementType::floating, {9});
  expect_near(run_op("Where", {condition, a, b}), {2, 3}, {1, 2, 3, 9, 9, 9}, 0.0);
  expect_right_gradients("Where", {condition, random_tensor({3}, 1), random_tensor({2, 3}, 2)});
}

TEST(Variadic, FoldsFromLeftToRight) {
  const Tensor a = floats({1, 5, -2});
  const Tensor b = floats({3, 4, std::nan("")});
  const Tensor c = typed_tensor({}, ElementType::floating, {3.5});
  expect_near(run_op("Sum", {a, c, a}), {3}, {5.5, 13.5, -0.5}, 0.0);
  expect_near(run_op("Mean", {a, a, c}), {3}, {5.5 / 3, 13.5 / 3, -0.5 / 3}, 1e-15);
  const Tensor max = run_op("Max", {a, b, c});
  EXPECT_EQ(max.values[0], 3.5);
  EXPECT_EQ(max.values[1], 5.0);
  EXPECT_TRUE(std::isnan(max.values[2]));
  expect_near(run_op("Min", {a, c}), {3}, {1, 3.5, -2}, 0.0);
  expect_near(run_op("Max", {of_type(ElementType::uint8, {3, 250})}), {2}, {3, 250}, 0.0);
}

TEST(Variadic, GradientsAreRight) {
  for (const char* op : {"Sum", "Mean", "Max", "Min"}) {
    SCOPED_TRACE(op);
    expect_right_gradients(
        op, {random_tensor({2, 3}, 1), random_tensor({3}, 2), random_tensor({2, 1}, 3)});
  }
}

TEST(Variadic, TheFirstOfEqualInputsTakesTheGradient) {
  const Tensor x = floats({1, 1});
  Graph graph = testing::one_node("Max", {x, x}, {});
  const Node node = graph.nodes[0];
  for (const std::int64_t input : {0, 1}) {
    const Tensor dx = run_op("ExtremumGradient", {floats({2, 3}), x, x},
                             {{"input", one(input)}, {"max", one(1)}});
    expect_near(dx, {2}, input == 0 ? std::vector<double>{2, 3} : std::vector<double>{0, 0}, 0.0);
  }
}

}  // namespace
}  // namespace npusim::workloads
