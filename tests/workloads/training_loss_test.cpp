// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "evaluate_graph.h"
#include "workload_text.h"
#include "workloads/recipe.h"
#include "workloads/training/transform.h"

namespace npusim::workloads {
namespace {

using testing::evaluate_graph;
using ::testing::HasSubstr;
using testing::initial_values;
using testing::read_text;
using testing::Values;

/// logits (6, 1) = x (6, 5) w^T with real labels in [0, 1), learning rate 1.
std::string with_loss(const std::string& loss, const std::string& label = R"("shape": [6, 1])") {
  return R"({"schema_version": 1, "kind": "workload", "name": "t",
"inputs": [{"name": "x", "shape": [6, 5], "initializer": {"kind": "normal"}},
{"name": "label", )" +
         label + R"(, "role": "label", "initializer": {"kind": "uniform_int", "high": 1}}],
"initializers": [{"name": "w", "shape": [1, 5], "initializer": {"kind": "normal"}}],
"nodes": [{"op": "Gemm", "name": "fc", "inputs": ["x", "w"], "attributes": {"transB": 1}}],
"outputs": ["fc.out"],
"training": {"logits": "fc.out", "labels": "label", "loss": ")" +
         loss + R"(", "optimizer": {"kind": "sgd", "learning_rate": 1}}})";
}

std::string real(const std::string& loss) {
  std::string text = with_loss(loss);
  const std::string whole = R"({"kind": "uniform_int", "high": 1})";
  text.replace(text.find(whole), whole.size(), R"({"kind": "uniform"})");
  return text;
}

/// Runs a step; holds the loss and the new weights against `value` and `slope` of a logit.
template <class Value, class Slope>
void expect_step(const std::string& loss, const Value& value, const Slope& slope) {
  const Graph step = make_training_step(read_text(real(loss)), false);
  Values values = initial_values(step, 3);
  evaluate_graph(step, values);
  const auto at = [&](const char* name) {
    return values.at(static_cast<std::size_t>(step.find(name))).values;
  };
  const std::vector<double> x = at("x"), t = at("label"), w = at("w"), next = at("w.next");
  double expected = 0.0;
  std::vector<double> gradient(5, 0.0);
  for (std::size_t row = 0; row < 6; ++row) {
    double logit = 0.0;
    for (std::size_t i = 0; i < 5; ++i) logit += x[row * 5 + i] * w[i];
    expected += value(logit, t[row]) / 6.0;
    for (std::size_t i = 0; i < 5; ++i) gradient[i] += slope(logit, t[row]) * x[row * 5 + i] / 6.0;
  }
  EXPECT_NEAR(at("loss").at(0), expected, 1e-12);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(next[i], w[i] - gradient[i], 1e-12) << i;
}

TEST(TrainingLoss, MeanSquaredErrorFollowsItsFormula) {
  expect_step(
      "MeanSquaredError", [](double x, double t) { return (x - t) * (x - t); },
      [](double x, double t) { return 2.0 * (x - t); });
}

TEST(TrainingLoss, BinaryCrossEntropyIsThatOfTheSigmoid) {
  const auto sigmoid = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
  expect_step(
      "BinaryCrossEntropyWithLogits",
      [&](double x, double t) {
        return -t * std::log(sigmoid(x)) - (1.0 - t) * std::log(1.0 - sigmoid(x));
      },
      [&](double x, double t) { return sigmoid(x) - t; });
}

/// logits (4, 7) = x (4, 3) w^T: three classes and a box.
std::string detector(const std::string& label = R"("shape": [4, 5])") {
  return R"({"schema_version": 1, "kind": "workload", "name": "t",
"inputs": [{"name": "x", "shape": [4, 3], "initializer": {"kind": "normal"}},
{"name": "label", )" +
         label +
         R"(, "role": "label", "initializer": {"kind": "values", "values":
[0, 0.02, 0.05, -0.03, 0.5, 2, 0.1, 0.9, 4, 0.2, 1, 0.3, 0.3, 0.3, 0.3, 2, -3, 0.5, 0.5, 0.5]}}],
"initializers": [{"name": "w", "shape": [7, 3], "initializer": {"kind": "normal", "stddev": 0.02}}],
"nodes": [{"op": "Gemm", "name": "fc", "inputs": ["x", "w"], "attributes": {"transB": 1}}],
"outputs": ["fc.out"],
"training": {"logits": "fc.out", "labels": "label", "loss": "ClassAndBoxLoss",
"optimizer": {"kind": "sgd", "learning_rate": 1}}})";
}

// Girshick 2015: cross entropy of the class plus smooth L1 of the box, written out.
TEST(TrainingLoss, ClassAndBoxFollowsItsFormula) {
  const Graph step = make_training_step(read_text(detector()), false);
  Values values = initial_values(step, 3);
  evaluate_graph(step, values);
  const auto at = [&](const char* name) {
    return values.at(static_cast<std::size_t>(step.find(name))).values;
  };
  const std::vector<double> x = at("x"), t = at("label"), w = at("w"), next = at("w.next");
  double expected = 0.0;
  std::vector<double> gradient(21, 0.0);
  int far = 0, near = 0;
  for (std::size_t n = 0; n < 4; ++n) {
    double logits[7] = {};
    for (std::size_t o = 0; o < 7; ++o)
      for (std::size_t i = 0; i < 3; ++i) logits[o] += x[n * 3 + i] * w[o * 3 + i];
    const double sum = std::exp(logits[0]) + std::exp(logits[1]) + std::exp(logits[2]);
    const auto target = static_cast<std::size_t>(t[n * 5]);
    double slope[7] = {};
    for (std::size_t c = 0; c < 3; ++c)
      slope[c] = std::exp(logits[c]) / sum - (c == target ? 1.0 : 0.0);
    expected += std::log(sum) - logits[target];
    for (std::size_t b = 0; b < 4; ++b) {
      const double d = 5.0 * (logits[3 + b] - t[n * 5 + 1 + b]);
      ++(std::abs(d) < 1.0 ? near : far);
      expected += std::abs(d) < 1.0 ? 0.5 * d * d : std::abs(d) - 0.5;
      slope[3 + b] = 5.0 * (std::abs(d) < 1.0 ? d : d > 0.0 ? 1.0 : -1.0);
    }
    for (std::size_t o = 0; o < 7; ++o)
      for (std::size_t i = 0; i < 3; ++i) gradient[o * 3 + i] += slope[o] * x[n * 3 + i] / 4.0;
  }
  EXPECT_GT(far, 0);
  EXPECT_GT(near, 0);
  EXPECT_NEAR(at("loss").at(0), expected / 4.0, 1e-12);
  for (std::size_t i = 0; i < 21; ++i) EXPECT_NEAR(next[i], w[i] - gradient[i], 1e-12) << i;
}

TEST(TrainingLoss, ClassAndBoxWantsFourNumbersBehindTheClasses) {
  std::string other = detector();
  other.replace(other.find("[7, 3]"), 6, "[4, 3]");
  EXPECT_THAT(testing::message(other), HasSubstr("(samples, classes + 4)"));
}

TEST(TrainingLoss, LabelsMustBeOfTheKindThatItTakes) {
  EXPECT_THAT(testing::message(real("SoftmaxCrossEntropyLoss")),
              HasSubstr("SoftmaxCrossEntropyLoss takes labels of type int64"));
  EXPECT_THAT(
      testing::message(with_loss("MeanSquaredError", R"("shape": [6, 1], "type": "int64")")),
      HasSubstr("MeanSquaredError takes labels of type float"));
  std::string other = real("MeanSquaredError");
  other.replace(other.find("[6, 1]"), 6, "[6]");
  EXPECT_THAT(testing::message(other), HasSubstr("do not have the shape of fc.out [6, 1]"));
}

// Exact labels would be in a format that no vector unit loads.
TEST(TrainingLoss, FloatingLabelsAreStoredAsTheLossIs) {
  const Graph step = make_training_step(read_text(real("MeanSquaredError")), false);
  Recipe recipe;
  recipe.loss = precision::bf16();
  const auto label = static_cast<std::size_t>(step.find("label"));
  EXPECT_EQ(storage_formats(step, recipe).at(label).format, precision::bf16());
}

}  // namespace
}  // namespace npusim::workloads
