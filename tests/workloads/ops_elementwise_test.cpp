// SPDX-License-Identifier: Apache-2.0
// Element-wise arithmetic, batch normalisation and the optimizer step: definitions, and bit
// equality with float arithmetic when every step is rounded to binary32.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops_support.h"
#include "workloads/training/backward.h"

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
using testing::work_of;
using Work = std::map<std::string, std::int64_t>;

struct Pair {
  Shape a, b, y;
};

std::vector<Pair> pairs() {
  return {{{2, 3, 4}, {2, 3, 4}, {2, 3, 4}},
          {{2, 3, 4}, {4}, {2, 3, 4}},
          {{3, 1}, {2, 1, 4}, {2, 3, 4}},
          {{}, {2, 3}, {2, 3}},
          {{1, 3, 1, 1}, {2, 3, 2, 2}, {2, 3, 2, 2}},
          {{5}, {1}, {5}}};
}

double apply(const std::string& op, double a, double b) {
  if (op == "Add") return a + b;
  if (op == "Sub") return a - b;
  if (op == "Mul") return a * b;
  return a / b;
}

/// Element of a broadcast operand for the multi-index that `index` stands for in y.
double element(const Tensor& operand, const Shape& y, std::int64_t index) {
  std::vector<std::int64_t> at(y.size());
  for (std::size_t d = y.size(); d-- > 0;) {
    at[d] = index % y[d];
    index /= y[d];
  }
  std::int64_t offset = 0;
  for (std::size_t d = 0; d < operand.shape.size(); ++d) {
    const std::int64_t i = at[y.size() - operand.shape.size() + d];
    offset = offset * operand.shape[d] + (operand.shape[d] == 1 ? 0 : i);
  }
  return operand.values[static_cast<std::size_t>(offset)];
}

/// Values away from zero, so that quotients and their differences behave.
Tensor away_from_zero(const Shape& shape, std::uint64_t seed) {
  Tensor tensor = random_floats(shape, seed);
  for (double& value : tensor.values) value += value < 0.0 ? -1.0 : 1.0;
  return tensor;
}

TEST(Arithmetic, BroadcastsAsNumpyDoes) {
  for (const char* op : {"Add", "Sub", "Mul", "Div"})
    for (const Pair& p : pairs()) {
      SCOPED_TRACE(op + to_string(p.a) + to_string(p.b));
      const Tensor a = away_from_zero(p.a, 1);
      const Tensor b = away_from_zero(p.b, 2);
      std::vector<double> expected;
      for (std::int64_t i = 0; i < element_count(p.y); ++i)
        expected.push_back(apply(op, element(a, p.y, i), element(b, p.y, i)));
      expect_near(run_op(op, {a, b}), p.y, expected, 0.0);
    }
}

TEST(Arithmetic, GradientsAreRight) {
  for (const char* op : {"Add", "Sub", "Mul", "Div"})
    for (const Pair& p : pairs()) {
      SCOPED_TRACE(op + to_string(p.a) + to_string(p.b));
      expect_right_gradients(op, {away_from_zero(p.a, 1), away_from_zero(p.b, 2)});
    }
  for (const char* op : {"Relu", "Neg", "Identity", "Cast"})
    expect_right_gradients(op, {away_from_zero({2, 3}, 3)});
}

TEST(Arithmetic, GradientsOfWeightsAreStoredAsSuch) {
  for (const char* op : {"Add", "Sub", "Mul", "Div"})
    for (const Shape& shape : {Shape{4}, Shape{3, 4}}) {
      const std::vector<Tensor> inputs = {Tensor({3, 4}), Tensor(shape)};
      Graph graph = testing::one_node(op, inputs, {});
      graph.tensors[0].role = TensorRole::activation;
      const TensorId loss =
          graph.add_node("ReduceSum", "loss", {2}, {{"keepdims", one(0)}}, {"loss"})[0];
      const TensorId gradient = add_backward(graph, loss, {1})[0];
      EXPECT_EQ(graph.tensor(gradient).role, TensorRole::weight_gradient) << op << to_string(shape);
    }
}

TEST(Arithmetic, RoundsLikeFloats) {
  const Tensor a = random_floats({1000}, 1);
  const Tensor b = random_floats({1000}, 2);
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) {
    const Tensor y = run_op(op, {a, b}, {}, fp32_rounder());
    for (std::size_t i = 0; i < 1000; ++i) {
      const auto x = static_cast<float>(a.values[i]);
      const auto z = static_cast<float>(b.values[i]);
      const std::string name = op;
      const float expected = name == "Add"   ? x + z
                             : name == "Sub" ? x - z
                             : name == "Mul" ? x * z
                                             : x / z;
      ASSERT_EQ(y.values[i], static_cast<double>(expected)) << op << " " << i;
    }
  }
}

TEST(Arithmetic, LargeTensorsAreCutInBlocks) {
  const Tensor a = random_tensor({50001}, 1);
  const Tensor b = random_tensor({50001}, 2);
  const Tensor sum = run_op("Add", {a, b});
  const Tensor relu = run_op("Relu", {a});
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    ASSERT_EQ(sum.values[i], a.values[i] + b.values[i]);
    ASSERT_EQ(relu.values[i], std::max(a.values[i], 0.0));
  }
}

TEST(Arithmetic, RefusesShapesThatDoNotBroadcast) {
  EXPECT_THAT(error_of("Add", {{2, 3}, {2, 4}}), AllOf(HasSubstr("[2, 3]"), HasSubstr("[2, 4]")));
  EXPECT_THAT(error_of("Div", {{2, 3}, {2}}), HasSubstr("broadcast"));
}

TEST(Arithmetic, WorkIsOneStepAnElement) {
  EXPECT_EQ(work_of("Add", {{2, 3}, {3}}), (Work{{"add", 6}}));
  EXPECT_EQ(work_of("Sub", {{2, 3}, {3}}), (Work{{"add", 6}}));
  EXPECT_EQ(work_of("Mul", {{2, 3}, {3}}), (Work{{"mul", 6}}));
  EXPECT_EQ(work_of("Div", {{2, 3}, {3}}), (Work{{"div", 6}}));
  EXPECT_EQ(work_of("Relu", {{2, 3}}), (Work{{"max", 6}}));
  EXPECT_EQ(work_of("Cast", {{2, 3}}), (Work{{"copy", 6}}));
}

TEST(Relu, KeepsNanAndSendsNoGradientAtZero) {
  Tensor x({3});
  x.values = {std::numeric_limits<double>::quiet_NaN(), -0.0, 2.0};
  const Tensor y = run_op("Relu", {x});
  EXPECT_TRUE(std::isnan(y.values[0]));
  EXPECT_EQ(y.values[1], 0.0);
  Tensor dy({2});
  dy.values = {7, 7};
  Tensor out({2});
  out.values = {0, 1};
  expect_near(run_op("ReluGradient", {dy, out}), {2}, {0, 7}, 0.0);
  EXPECT_THAT(error_of("ReluGradient", {{2}, {3}}), HasSubstr("[3]"));
}

std::vector<Tensor> batch_norm_inputs(const Shape& x) {
  std::vector<Tensor> in = {random_floats(x, 1)};
  for (std::uint64_t i = 2; i < 6; ++i) in.push_back(random_floats({x[1]}, i));
  for (double& variance : in[4].values) variance = static_cast<float>(variance * variance + 0.1);
  return in;
}

TEST(BatchNormalization, EqualsItsDefinition) {
  for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{4, 3}, Shape{2, 3, 5}}) {
    const std::vector<Tensor> in = batch_norm_inputs(shape);
    const auto inner = static_cast<std::size_t>(element_count(shape) / shape[0] / shape[1]);
    std::vector<double> expected;
    for (std::size_t i = 0; i < in[0].values.size(); ++i) {
      const std::size_t c = i / inner % 3;
      expected.push_back((in[0].values[i] - in[3].values[c]) / std::sqrt(in[4].values[c] + 0.25) *
                             in[1].values[c] +
                         in[2].values[c]);
    }
    expect_near(run_op("BatchNormalization", in, {{"epsilon", 0.25}}), shape, expected);
  }
}

TEST(BatchNormalization, RoundsLikeFloats) {
  const std::vector<Tensor> in = batch_norm_inputs({2, 3, 4, 5});
  const Tensor y = run_op("BatchNormalization", in, {}, fp32_rounder());
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    const auto at = [&](std::size_t input) {
      return static_cast<float>(in[input].values[i / 20 % 3]);
    };
    const float factor = at(1) / std::sqrt(at(4) + 1e-5f);
    const float offset = at(2) - at(3) * factor;
    const float expected = static_cast<float>(in[0].values[i]) * factor + offset;
    ASSERT_EQ(y.values[i], static_cast<double>(expected)) << i;
  }
}

TEST(BatchNormalization, CountsOneProductAndOneSumAnElement) {
  EXPECT_EQ(work_of("BatchNormalization", {{2, 3, 4, 5}, {3}, {3}, {3}, {3}}),
            (Work{{"mul", 120}, {"add", 120}}));
}

TEST(BatchNormalization, RefusesWhatDoesNotFit) {
  EXPECT_THAT(error_of("BatchNormalization", {{2, 3, 4}, {3}, {3}, {4}, {3}}),
              AllOf(HasSubstr("in3"), HasSubstr("[4]")));
  EXPECT_THAT(error_of("BatchNormalization", {{3}, {3}, {3}, {3}, {3}}), HasSubstr("rank 2"));
}

TEST(Sgd, RoundsLikeFloats) {
  const Tensor w = random_floats({100}, 1);
  const Tensor g = random_floats({100}, 2);
  for (const float decay : {0.0f, 0.3f}) {
    const Tensor next =
        run_op("Sgd", {w, g}, {{"learning_rate", 0.1}, {"weight_decay", decay == 0.0f ? 0.0 : 0.3}},
               fp32_rounder());
    for (std::size_t i = 0; i < 100; ++i) {
      const auto weight = static_cast<float>(w.values[i]);
      const auto gradient = static_cast<float>(g.values[i]);
      const float expected = weight - 0.1f * (gradient + decay * weight);
      ASSERT_EQ(next.values[i], static_cast<double>(expected)) << i;
    }
  }
  EXPECT_THAT(error_of("Sgd", {{2}, {3}}), HasSubstr("[3]"));
  EXPECT_EQ(work_of("Sgd", {{7}, {7}}), (Work{{"mul", 7}, {"add", 7}}));
  EXPECT_EQ(work_of("Sgd", {{7}, {7}}, {{"weight_decay", 0.1}}), (Work{{"mul", 14}, {"add", 14}}));
}

TEST(Cast, TakesTheElementTypesOfOnnx) {
  const Tensor x = random_tensor({3}, 1);
  for (const std::int64_t to : {0, 1, 10, 11, 16})
    expect_near(run_op("Cast", {x}, {{"to", one(to)}}), {3}, x.values, 0.0);
  const Tensor values = testing::typed_tensor({4}, ElementType::floating, {-2.9, 0.0, 300.5, 1e30});
  const Tensor bytes = run_op("Cast", {values}, {{"to", one(2)}});
  EXPECT_EQ(bytes.type, ElementType::uint8);
  expect_near(bytes, {4}, {254, 0, 44, 0}, 0.0);
  expect_near(run_op("Cast", {values}, {{"to", one(9)}}), {4}, {1, 0, 1, 1}, 0.0);
  EXPECT_THAT(error_of("Cast", {{3}}, {{"to", one(8)}}), HasSubstr("element type 8"));
}

}  // namespace
}  // namespace npusim::workloads
