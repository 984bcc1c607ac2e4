// SPDX-License-Identifier: Apache-2.0
// Softmax, losses, reductions and Transpose: definitions, float bit equality, gradients.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "ops_support.h"
#include "workloads/decompose.h"

namespace npusim::workloads {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using testing::expect_near;
using testing::expect_right_gradients;
using testing::fp32_rounder;
using ::testing::HasSubstr;
using testing::ints;
using testing::labels_tensor;
using testing::one;
using testing::random_floats;
using testing::random_tensor;
using testing::run_op;
using testing::work_of;
using Work = std::map<std::string, std::int64_t>;

/// softmax of x along an axis of extent `length` with `inner` elements behind it.
std::vector<double> naive_softmax(const Tensor& x, std::size_t length, std::size_t inner,
                                  bool log) {
  std::vector<double> y(x.values.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t first = i / (length * inner) * length * inner + i % inner;
    double sum = 0.0;
    for (std::size_t t = 0; t < length; ++t) sum += std::exp(x.values[first + t * inner]);
    y[i] = log ? x.values[i] - std::log(sum) : std::exp(x.values[i]) / sum;
  }
  return y;
}

TEST(Softmax, EqualsItsDefinitionOnEveryAxis) {
  const Tensor x = random_tensor({2, 3, 4}, 1);
  const std::size_t length[] = {2, 3, 4};
  const std::size_t inner[] = {12, 4, 1};
  for (const std::int64_t axis : {0, 1, 2, -1, -2, -3}) {
    const auto a = static_cast<std::size_t>(axis < 0 ? axis + 3 : axis);
    for (const bool log : {false, true})
      expect_near(run_op(log ? "LogSoftmax" : "Softmax", {x}, {{"axis", one(axis)}}), x.shape,
                  naive_softmax(x, length[a], inner[a], log));
  }
}

TEST(Softmax, SurvivesLargeInputs) {
  Tensor x({1, 3});
  x.values = {1000.0, 999.0, -1000.0};
  const double e = std::exp(-1.0);
  expect_near(run_op("Softmax", {x}), {1, 3}, {1 / (1 + e), e / (1 + e), 0.0});
  expect_near(run_op("LogSoftmax", {x}), {1, 3},
              {-std::log1p(e), -1 - std::log1p(e), -2000 - std::log1p(e)});
}

// Every step is rounded: difference, exponential (correctly rounded here), sum in index order.
TEST(Softmax, RoundsLikeFloats) {
  const Tensor x = random_floats({5, 40}, 3);
  const Tensor y = run_op("Softmax", {x}, {}, fp32_rounder());
  const Tensor log_y = run_op("LogSoftmax", {x}, {}, fp32_rounder());
  for (std::size_t row = 0; row < 5; ++row) {
    float largest = -2.0f;
    float sum = 0.0f;
    for (std::size_t i = 0; i < 40; ++i)
      largest = std::max(largest, static_cast<float>(x.values[row * 40 + i]));
    const auto shifted = [&](std::size_t i) {
      return static_cast<float>(x.values[row * 40 + i]) - largest;
    };
    const auto exponential = [&](std::size_t i) {
      return static_cast<float>(std::exp(static_cast<double>(shifted(i))));
    };
    for (std::size_t i = 0; i < 40; ++i) sum += exponential(i);
    const auto log_sum = static_cast<float>(std::log(static_cast<double>(sum)));
    for (std::size_t i = 0; i < 40; ++i) {
      ASSERT_EQ(y.values[row * 40 + i], static_cast<double>(exponential(i) / sum));
      ASSERT_EQ(log_y.values[row * 40 + i], static_cast<double>(shifted(i) - log_sum));
    }
  }
}

TEST(Softmax, GradientsAreRight) {
  for (const char* op : {"Softmax", "LogSoftmax"})
    for (const std::int64_t axis : {0, 1, -1})
      expect_right_gradients(op, {random_tensor({3, 4, 2}, 5)}, {{"axis", one(axis)}});
}

TEST(Softmax, CountsItsSteps) {
  EXPECT_EQ(work_of("Softmax", {{2, 5}}),
            (Work{{"max", 10}, {"add", 20}, {"exp", 10}, {"div", 10}}));
  EXPECT_EQ(work_of("LogSoftmax", {{2, 5}}),
            (Work{{"max", 10}, {"add", 30}, {"exp", 10}, {"log", 2}}));
  EXPECT_THAT(error_of("Softmax", {{2, 5}}, {{"axis", one(2)}}), HasSubstr("[2, 5]"));
}

double naive_loss(const Tensor& x, const std::vector<std::int64_t>& labels, bool mean) {
  const auto classes = static_cast<std::size_t>(x.shape[1]);
  const std::vector<double> log_p = naive_softmax(x, classes, 1, true);
  double loss = 0.0;
  for (std::size_t i = 0; i < labels.size(); ++i)
    loss -= log_p[i * classes + static_cast<std::size_t>(labels[i])];
  return mean ? loss / static_cast<double>(labels.size()) : loss;
}

TEST(CrossEntropy, EqualsItsDefinition) {
  const Tensor x = random_tensor({4, 3}, 1);
  const std::vector<std::int64_t> labels = {2, 0, 1, 1};
  for (const std::string reduction : {"mean", "sum"}) {
    const double expected = naive_loss(x, labels, reduction == "mean");
    expect_near(
        run_op("SoftmaxCrossEntropyLoss", {x, labels_tensor(labels)}, {{"reduction", reduction}}),
        {}, {expected});
    expect_near(
        run_op("NegativeLogLikelihoodLoss", {run_op("LogSoftmax", {x}), labels_tensor(labels)},
               {{"reduction", reduction}}),
        {}, {expected});
  }
}

TEST(CrossEntropy, GradientsAreRight) {
  const std::vector<Tensor> in = {random_tensor({4, 3}, 1), labels_tensor({2, 0, 1, 1})};
  for (const char* op : {"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"})
    for (const std::string reduction : {"mean", "sum"})
      expect_right_gradients(op, in, {{"reduction", reduction}});
}

/// One row a target: -weight * log p, by the definition in ONNX's operator list.
struct NaiveLoss {
  Shape scores;
  std::vector<double> weights;  ///< empty: ones
  std::int64_t ignored;
  std::string reduction;

  double weight(std::size_t target) const { return weights.empty() ? 1.0 : weights[target]; }
  /// Index of (n, class, position) for target number `row`.
  std::size_t at(std::size_t row, std::size_t target) const {
    std::size_t inner = 1;
    for (std::size_t d = 2; d < scores.size(); ++d) inner *= static_cast<std::size_t>(scores[d]);
    return (row / inner * static_cast<std::size_t>(scores[1]) + target) * inner + row % inner;
  }
  double divisor(const std::vector<double>& targets) const {
    if (reduction != "mean") return 1.0;
    double sum = 0.0;
    for (const double t : targets)
      if (static_cast<std::int64_t>(t) != ignored) sum += weight(static_cast<std::size_t>(t));
    return sum;
  }
  std::vector<double> operator()(const std::vector<double>& log_p,
                                 const std::vector<double>& targets) const {
    std::vector<double> each;
    for (std::size_t row = 0; row < targets.size(); ++row) {
      const bool counts = static_cast<std::int64_t>(targets[row]) != ignored;
      const auto target = counts ? static_cast<std::size_t>(targets[row]) : 0;
      each.push_back(counts ? -weight(target) * log_p[at(row, target)] : 0.0);
    }
    if (reduction == "none") return each;
    double sum = 0.0;
    for (const double value : each) sum += value;
    return {sum / divisor(targets)};
  }
};

TEST(CrossEntropy, TakesWeightsAnIgnoredTargetAndAnyRank) {
  const Shape scores = {2, 3, 2, 2};
  const Tensor x = random_tensor(scores, 11);
  const std::vector<double> log_p = naive_softmax(x, 3, 4, true);
  const Tensor targets =
      testing::typed_tensor({2, 2, 2}, ElementType::int64, {0, 1, 2, 2, -7, 1, 0, 2});
  Tensor weights({3});
  weights.values = {0.5, 2.0, 1.25};
  for (const std::string reduction : {"mean", "sum", "none"})
    for (const bool weighted : {false, true}) {
      const NaiveLoss naive{scores, weighted ? weights.values : std::vector<double>{}, -7,
                            reduction};
      const Attributes attributes = {{"reduction", reduction}, {"ignore_index", one(-7)}};
      std::vector<Tensor> in = {x, targets};
      if (weighted) in.push_back(weights);
      const Shape shape = reduction == "none" ? targets.shape : Shape{};
      const std::vector<Tensor> y =
          testing::run_op_outputs("SoftmaxCrossEntropyLoss", in, attributes, 2);
      expect_near(y[0], shape, naive(log_p, targets.values));
      expect_near(y[1], scores, log_p);
      in[0].values = log_p;
      expect_near(run_op("NegativeLogLikelihoodLoss", in, attributes), shape,
                  naive(log_p, targets.values));
    }
}

TEST(CrossEntropy, GradientsOfEveryReductionAreRight) {
  const std::vector<Tensor> in = {
      random_tensor({2, 3, 2, 2}, 12),
      testing::typed_tensor({2, 2, 2}, ElementType::int64, {0, 1, 2, 2, -7, 1, 0, 2})};
  for (const char* op : {"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"})
    for (const std::string reduction : {"mean", "sum", "none"})
      expect_right_gradients(op, in, {{"reduction", reduction}, {"ignore_index", one(-7)}});
}

TEST(CrossEntropy, GradientsCarryTheWeights) {
  const Shape scores = {2, 3};
  const Tensor x = random_tensor(scores, 13);
  const Tensor targets = labels_tensor({2, 1});
  Tensor weights({3});
  weights.values = {0.5, 2.0, 1.25};
  Tensor dloss(Shape{});
  dloss.values = {3.0};
  const std::vector<double> p = naive_softmax(x, 3, 1, false);
  std::vector<double> nll(6, 0.0), sce;
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t c = 0; c < 3; ++c) {
      const auto target = static_cast<std::size_t>(targets.values[row]);
      const double scale = 3.0 * weights.values[target] / (2.0 + 1.25);
      if (c == target) nll[row * 3 + c] = -scale;
      sce.push_back((p[row * 3 + c] - (c == target ? 1.0 : 0.0)) * scale);
    }
  expect_near(run_op("SoftmaxCrossEntropyLossGradient", {dloss, x, targets, weights}), scores, sce);
  expect_near(
      run_op("NegativeLogLikelihoodLossGradient", {dloss, targets, weights}, {{"classes", one(3)}}),
      scores, nll);
}

TEST(CrossEntropy, DecomposesIntoTheSameBits) {
  const std::vector<Tensor> in = {random_floats({16, 10}, 1),
                                  labels_tensor({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5})};
  const Graph graph = testing::one_node("SoftmaxCrossEntropyLoss", in, {});
  const Graph parts = decompose(graph, [](const Node&) { return true; }).graph;
  std::vector<std::string> names;
  for (const Node& node : parts.nodes) names.push_back(node.op);
  EXPECT_THAT(names, ElementsAre("LogSoftmax", "NegativeLogLikelihoodLoss"));
  const precision::Rounder fp32 = fp32_rounder();
  EXPECT_EQ(testing::evaluate(parts, in, fp32)[static_cast<std::size_t>(parts.find("out"))].values,
            run_op("SoftmaxCrossEntropyLoss", in, {}, fp32).values);
}

TEST(CrossEntropy, RefusesWrongTargets) {
  const Tensor x = random_tensor({2, 3}, 1);
  for (const std::int64_t wrong : {3, -1}) {
    try {
      run_op("SoftmaxCrossEntropyLoss", {x, labels_tensor({0, wrong})});
      ADD_FAILURE() << "accepted " << wrong;
    } catch (const base::InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("target " + std::to_string(wrong) + " of row 1"));
    }
  }
  EXPECT_THAT(error_of("SoftmaxCrossEntropyLoss", {{2, 3}, {2}}), HasSubstr("int64"));
  EXPECT_THAT(error_of("SoftmaxCrossEntropyLoss", {{2, 3, 4}, {2}}), HasSubstr("shape [2, 4]"));
  EXPECT_THAT(error_of("SoftmaxCrossEntropyLoss", {{2}, {2}}), HasSubstr("rank 2 or more"));
  EXPECT_THAT(
      error_of("NegativeLogLikelihoodLoss", {{2, 3}, {2}}, {{"reduction", std::string("none")}}),
      HasSubstr("int64"));
}

struct Reduction {
  std::vector<std::int64_t> axes;
  std::int64_t keepdims;
  Shape y;
};

/// The reduced value for each element of y, through the multi-index of each element of x.
std::vector<double> naive_reduce(const Tensor& x, const Reduction& r, bool mean) {
  const auto count = static_cast<std::size_t>(element_count(r.y));
  std::vector<double> sums(count, 0.0);
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    std::size_t rest = i;
    std::size_t target = 0;
    std::size_t stride = 1;
    for (std::size_t d = x.shape.size(); d-- > 0;) {
      const auto extent = static_cast<std::size_t>(x.shape[d]);
      bool reduced = r.axes.empty();
      for (const std::int64_t axis : r.axes)
        reduced = reduced || (axis + 3) % 3 == static_cast<std::int64_t>(d);
      if (!reduced) {
        target += rest % extent * stride;
        stride *= extent;
      }
      rest /= extent;
    }
    sums[target] += x.values[i];
  }
  for (double& sum : sums)
    if (mean) sum /= static_cast<double>(x.values.size() / count);
  return sums;
}

TEST(Reduce, EqualsItsDefinitionAndItsGradientIsRight) {
  const Tensor x = random_tensor({2, 3, 4}, 1);
  const std::vector<Reduction> reductions = {
      {{}, 1, {1, 1, 1}}, {{}, 0, {}},        {{1}, 1, {2, 1, 4}},   {{-1}, 0, {2, 3}},
      {{0, 2}, 0, {3}},   {{0, 1, 2}, 0, {}}, {{0, 2}, 1, {1, 3, 1}}};
  for (const Reduction& r : reductions)
    for (const bool mean : {false, true}) {
      const char* op = mean ? "ReduceMean" : "ReduceSum";
      const Attributes attributes = {{"axes", ints(r.axes)}, {"keepdims", one(r.keepdims)}};
      SCOPED_TRACE(op + to_string(r.axes) + to_string(r.y));
      expect_near(run_op(op, {x}, attributes), r.y, naive_reduce(x, r, mean));
      expect_right_gradients(op, {x}, attributes);
    }
}

TEST(Reduce, SumsInIndexOrderLikeFloats) {
  const Tensor x = random_floats({3, 50, 7}, 2);
  const Tensor sums =
      run_op("ReduceSum", {x}, {{"axes", ints({0, 2})}, {"keepdims", one(0)}}, fp32_rounder());
  const Tensor folded = run_op("ReduceToShape", {x}, {{"shape", ints({50, 1})}}, fp32_rounder());
  for (std::size_t j = 0; j < 50; ++j) {
    float sum = 0.0f;
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t k = 0; k < 7; ++k) sum += static_cast<float>(x.values[(i * 50 + j) * 7 + k]);
    ASSERT_EQ(sums.values[j], static_cast<double>(sum));
    ASSERT_EQ(folded.values[j], static_cast<double>(sum));
  }
}

TEST(Reduce, RefusesAxesOutside) {
  EXPECT_THAT(error_of("ReduceSum", {{2, 3}}, {{"axes", ints({2})}}),
              AllOf(HasSubstr("axis 2"), HasSubstr("rank 2")));
  EXPECT_THAT(error_of("ReduceToShape", {{2, 3}}, {{"shape", ints({2})}}), HasSubstr("[2]"));
}

TEST(Transpose, MovesElementsAndTheirGradientsBack) {
  const Tensor x = random_tensor({2, 3, 4}, 1);
  std::vector<double> expected;
  for (std::size_t k = 0; k < 4; ++k)
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t j = 0; j < 3; ++j) expected.push_back(x.values[(i * 3 + j) * 4 + k]);
  expect_near(run_op("Transpose", {x}, {{"perm", ints({2, 0, 1})}}), {4, 2, 3}, expected, 0.0);
  EXPECT_EQ(run_op("Transpose", {x}).shape, (Shape{4, 3, 2}));
  expect_right_gradients("Transpose", {x}, {{"perm", ints({2, 0, 1})}});
  EXPECT_EQ(work_of("Transpose", {{2, 3}}), (Work{{"copy", 6}}));
  EXPECT_THAT(error_of("Transpose", {{2, 3}}, {{"perm", ints({0, 0})}}), HasSubstr("[0, 0]"));
}

TEST(Flatten, IsAViewInTwoDimensions) {
  const Tensor x = random_tensor({2, 3, 4}, 1);
  const std::vector<Shape> shapes = {{1, 24}, {2, 12}, {6, 4}, {24, 1}};
  for (const std::int64_t axis : {0, 1, 2, 3})
    expect_near(run_op("Flatten", {x}, {{"axis", one(axis)}}),
                shapes[static_cast<std::size_t>(axis)], x.values, 0.0);
  EXPECT_EQ(run_op("Flatten", {x}, {{"axis", one(-1)}}).shape, (Shape{6, 4}));
  expect_right_gradients("Flatten", {x});
  EXPECT_EQ(ops().at("Flatten").op_class(), OpClass::view);
  EXPECT_TRUE(work_of("Flatten", {{2, 3}}).empty());
  EXPECT_THAT(error_of("Flatten", {{2, 3}}, {{"axis", one(3)}}), HasSubstr("[2, 3]"));
}

TEST(Ops, NameFunctionsThatExistAndDecomposeIntoOpsThatExist) {
  for (const Op* op : ops().all()) {
    EXPECT_FALSE(op->description().empty()) << op->name();
    EXPECT_LE(op->min_inputs(), op->max_inputs()) << op->name();
    for (const std::string& part : op->decomposes_into())
      EXPECT_NE(ops().find(part), nullptr) << op->name() << " into " << part;
  }
}

}  // namespace
}  // namespace npusim::workloads
