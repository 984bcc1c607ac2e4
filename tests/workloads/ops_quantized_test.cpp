// SPDX-License-Identifier: Apache-2.0
// Quantisation and products of integers, against integer arithmetic written out here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "ops_support.h"

namespace npusim::workloads {
namespace {

using testing::expect_near;
using testing::ints;
using testing::one;
using testing::random_tensor;
using testing::run_op;
using testing::run_op_outputs;
using testing::typed_tensor;

Tensor random_integers(const Shape& shape, ElementType type, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> draw(static_cast<int>(lowest_of(type)),
                                          static_cast<int>(highest_of(type)));
  Tensor tensor(shape, type);
  for (double& value : tensor.values) value = draw(generator);
  return tensor;
}

Tensor scalar(ElementType type, double value) {
  return typed_tensor({}, type, {value});
}
Tensor number(double value) {
  return scalar(ElementType::floating, value);
}

TEST(QuantizeLinear, RoundsToEvenAndSaturates) {
  const Tensor x = typed_tensor({6}, ElementType::floating, {0, 2, 3, 1000, -254, -1000});
  const Tensor y = run_op("QuantizeLinear", {x, number(2), scalar(ElementType::uint8, 128)});
  EXPECT_EQ(y.type, ElementType::uint8);
  expect_near(y, {6}, {128, 129, 130, 255, 1, 0}, 0.0);
  const Tensor halves = typed_tensor({3}, ElementType::floating, {0.5, 1.5, 2.5});
  expect_near(run_op("QuantizeLinear", {halves, number(1), scalar(ElementType::int8, 0)}), {3},
              {0, 2, 2}, 0.0);
  EXPECT_EQ(run_op("QuantizeLinear", {x, number(2)}, {{"output_dtype", one(5)}}).type,
            ElementType::int16);
}

TEST(QuantizeLinear, TakesAScaleForEachChannelOrBlock) {
  const Tensor x = typed_tensor({1, 2, 2}, ElementType::floating, {4, 8, 4, 8});
  const Tensor scales = typed_tensor({2}, ElementType::floating, {1, 4});
  expect_near(run_op("QuantizeLinear", {x, scales}), {1, 2, 2}, {4, 8, 1, 2}, 0.0);
  const Tensor blocks = typed_tensor({1, 2, 1}, ElementType::floating, {2, 4});
  expect_near(run_op("QuantizeLinear", {x, blocks}, {{"axis", one(2)}, {"block_size", one(2)}}),
              {1, 2, 2}, {2, 4, 1, 2}, 0.0);
  EXPECT_THROW(run_op("QuantizeLinear", {x, typed_tensor({3}, ElementType::floating, {1, 1, 1})}),
               base::InputError);
}

TEST(DequantizeLinear, UndoesIt) {
  const Tensor x = random_integers({3, 4}, ElementType::int8, 1);
  const Tensor scale = typed_tensor({4}, ElementType::floating, {0.5, 2, 1, 0.25});
  const Tensor zero = typed_tensor({4}, ElementType::int8, {0, 3, -5, 1});
  const Tensor y = run_op("DequantizeLinear", {x, scale, zero});
  for (std::size_t i = 0; i < 12; ++i)
    EXPECT_EQ(y.values[i], (x.values[i] - zero.values[i % 4]) * scale.values[i % 4]);
  expect_near(run_op("QuantizeLinear", {y, scale, zero}), x.shape, x.values, 0.0);
}

TEST(DynamicQuantizeLinear, CoversTheRangeWithZero) {
  const Tensor x = typed_tensor({6}, ElementType::floating, {0, 2, -3, -2.5, 1.34, 0.5});
  const std::vector<Tensor> y =
      run_op_outputs("DynamicQuantizeLinear", {x}, {}, 3, testing::fp32_rounder());
  expect_near(y[0], {6}, {153, 255, 0, 26, 221, 179}, 0.0);
  EXPECT_NEAR(y[1].values[0], 0.0196078438, 1e-9);
  EXPECT_EQ(y[2].values[0], 153.0);
}

TEST(MatMulInteger, EqualsIntegerArithmetic) {
  const Tensor a = random_integers({3, 4}, ElementType::uint8, 1);
  const Tensor b = random_integers({4, 2}, ElementType::int8, 2);
  const Tensor a_zero = typed_tensor({3}, ElementType::uint8, {12, 0, 200});
  const Tensor b_zero = typed_tensor({2}, ElementType::int8, {-3, 7});
  const Tensor y = run_op("MatMulInteger", {a, b, a_zero, b_zero});
  EXPECT_EQ(y.type, ElementType::int32);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 2; ++j) {
      int sum = 0;
      for (std::size_t k = 0; k < 4; ++k)
        sum += (static_cast<int>(a.values[i * 4 + k]) - static_cast<int>(a_zero.values[i])) *
               (static_cast<int>(b.values[k * 2 + j]) - static_cast<int>(b_zero.values[j]));
      EXPECT_EQ(y.values[i * 2 + j], sum);
    }
  EXPECT_THROW(run_op("MatMulInteger", {random_tensor({2, 2}, 1), b}), base::InputError);
}

TEST(ConvInteger, PadsWithTheZeroPoint) {
  const Tensor x = random_integers({1, 2, 4, 3}, ElementType::uint8, 3);
  const Tensor w = random_integers({2, 2, 2, 2}, ElementType::uint8, 4);
  const int zero = 17;
  const Tensor y = run_op("ConvInteger", {x, w, scalar(ElementType::uint8, zero)},
                          {{"pads", ints({1, 1, 0, 0})}});
  ASSERT_EQ(y.shape, (Shape{1, 2, 4, 3}));
  for (int m = 0; m < 2; ++m)
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < 3; ++j) {
        int sum = 0;
        for (int c = 0; c < 2; ++c)
          for (int r = 0; r < 2; ++r)
            for (int s = 0; s < 2; ++s) {
              const int row = i + r - 1, column = j + s - 1;
              if (row < 0 || column < 0) continue;
              const auto at = static_cast<std::size_t>((c * 4 + row) * 3 + column);
              const auto tap = static_cast<std::size_t>(((m * 2 + c) * 2 + r) * 2 + s);
              sum += (static_cast<int>(x.values[at]) - zero) * static_cast<int>(w.values[tap]);
            }
        ASSERT_EQ(y.values[static_cast<std::size_t>((m * 4 + i) * 3 + j)], sum);
      }
}

TEST(QLinearMatMul, RequantisesItsSums) {
  const Tensor a = typed_tensor({1, 2}, ElementType::uint8, {10, 20});
  const Tensor b = typed_tensor({2, 2}, ElementType::uint8, {3, 5, 7, 255});
  const Tensor zero = scalar(ElementType::uint8, 4);
  // (6, 16) * (-1, 1; 3, 251) = (42, 4022), times 0.5 * 0.25 / 2, plus 4
  expect_near(
      run_op("QLinearMatMul", {a, number(0.5), zero, b, number(0.25), zero, number(2), zero}),
      {1, 2}, {7, 255}, 0.0);
}

TEST(QLinearConv, TakesAScaleForEachOutputChannelAndABias) {
  const Tensor x = typed_tensor({1, 1, 1, 2}, ElementType::uint8, {10, 30});
  const Tensor w = typed_tensor({2, 1, 1, 1}, ElementType::int8, {2, -4});
  const Tensor w_scale = typed_tensor({2}, ElementType::floating, {0.5, 0.25});
  const Tensor w_zero = typed_tensor({2}, ElementType::int8, {0, 0});
  const Tensor bias = typed_tensor({2}, ElementType::int32, {8, 4});
  const Tensor y =
      run_op("QLinearConv", {x, number(1), scalar(ElementType::uint8, 10), w, w_scale, w_zero,
                             number(2), scalar(ElementType::uint8, 100), bias});
  // (0, 20) * 2 + 8 = (8, 48), by 0.5 / 2; (0, 20) * -4 + 4 = (4, -76), by 0.25 / 2
  expect_near(y, {1, 2, 1, 2}, {102, 112, 100, 90}, 0.0);
}

TEST(IntegerProducts, CountTheirMacs) {
  EXPECT_EQ(ops().at("MatMulInteger").op_class(), OpClass::matrix);
  const std::vector<Tensor> inputs = {random_integers({3, 4}, ElementType::uint8, 1),
                                      random_integers({4, 2}, ElementType::uint8, 2)};
  const Graph graph = testing::one_node("MatMulInteger", inputs, {});
  EXPECT_EQ(graph.mac_count(), 24);
}

}  // namespace
}  // namespace npusim::workloads
