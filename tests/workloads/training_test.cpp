// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/transform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "evaluate_graph.h"
#include "workload_text.h"

namespace npusim::workloads {
namespace {

using ::testing::ElementsAre;
using testing::evaluate_graph;
using ::testing::HasSubstr;
using testing::initial_values;
using testing::read_text;
using testing::Values;

/// A network from x [6, 5] to "logits" [6, 3], trained with labels 0..2.
std::string trainable(const std::string& weights, const std::string& nodes,
                      const std::string& optimizer = R"({"kind": "sgd", "learning_rate": 0.1})") {
  return R"({"schema_version": 1, "kind": "workload", "name": "t",
"inputs": [{"name": "x", "shape": [6, 5], "initializer": {"kind": "normal"}},
           {"name": "labels", "shape": [6], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "low": 0, "high": 2}}],
"initializers": [)" +
         weights + R"(], "nodes": [)" + nodes + R"(], "outputs": ["logits"],
"training": {"logits": "logits", "labels": "labels", "optimizer": )" +
         optimizer + "}}";
}

std::string weight(const std::string& name, const std::string& shape) {
  return R"({"name": ")" + name + R"(", "shape": )" + shape +
         R"(, "initializer": {"kind": "normal", "stddev": 0.5}})";
}

std::string gemm(const std::string& name, const std::string& inputs, const std::string& output) {
  return R"({"op": "Gemm", "name": ")" + name + R"(", "inputs": )" + inputs + R"(, "outputs": [")" +
         output + R"("], "attributes": {"transB": 1}})";
}

std::string mlp() {
  return trainable(weight("w1", "[4, 5]") + "," + weight("b1", "[4]") + "," +
                       weight("w2", "[3, 4]") + "," + weight("b2", "[3]"),
                   gemm("fc1", R"(["x", "w1", "b1"])", "h") + "," +
                       R"({"op": "Relu", "name": "relu", "inputs": ["h"], "outputs": ["r"]},)" +
                       gemm("fc2", R"(["r", "w2", "b2"])", "logits"));
}

/// Fan-out: the hidden value takes two ways, and one weight is used twice.
std::string residual() {
  return trainable(
      weight("w1", "[4, 5]") + "," + weight("w", "[4, 4]") + "," + weight("w2", "[3, 4]"),
      gemm("fc1", R"(["x", "w1"])", "h") + "," + gemm("a", R"(["h", "w"])", "p") +
          R"(,{"op": "Relu", "name": "relu", "inputs": ["p"], "outputs": ["r"]},)" +
          gemm("b", R"(["r", "w"])", "q") +
          R"(,{"op": "Add", "name": "add1", "inputs": ["q", "h"], "outputs": ["s"]},)" +
          R"({"op": "Add", "name": "add2", "inputs": ["s", "r"], "outputs": ["u"]},)" +
          gemm("fc2", R"(["u", "w2"])", "logits"));
}

/// The same with more options of its training section.
std::string with(std::string text, const std::string& options) {
  const std::string begin = R"("training": {)";
  return text.insert(text.find(begin) + begin.size(), options + ", ");
}

std::vector<Node> nodes_of(const Graph& graph, Phase phase) {
  std::vector<Node> result;
  for (const Node& node : graph.nodes)
    if (node.phase == phase) result.push_back(node);
  return result;
}

std::vector<std::string> output_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const TensorId id : graph.outputs) names.push_back(graph.tensor(id).name);
  return names;
}

double loss_of(const Graph& graph, Values values) {
  evaluate_graph(graph, values);
  return values[static_cast<std::size_t>(graph.outputs[0])].values.at(0);
}

/// Each weight's gradient against central differences of the loss.
void expect_right_gradients(const std::string& text, bool master_copies, std::size_t weights) {
  const Graph graph = make_training_step(read_text(text), master_copies);
  const Values start = initial_values(graph, 11);
  Values values = start;
  evaluate_graph(graph, values);
  const std::vector<Node> updates = nodes_of(graph, Phase::update);
  ASSERT_EQ(updates.size(), weights);
  for (const Node& update : updates) {
    const auto stored = static_cast<std::size_t>(update.inputs[0]);
    const Tensor& gradient = values[static_cast<std::size_t>(update.inputs[1])];
    ASSERT_EQ(gradient.shape, start[stored].shape) << update.name;
    double scale = 0.0;
    for (const double g : gradient.values) scale = std::max(scale, std::fabs(g));
    EXPECT_GT(scale, 1e-3) << update.name;
    for (std::size_t i = 0; i < gradient.values.size(); ++i) {
      constexpr double kStep = 1e-5;
      Values up = start;
      Values down = start;
      up[stored].values[i] += kStep;
      down[stored].values[i] -= kStep;
      const double difference = (loss_of(graph, up) - loss_of(graph, down)) / (2 * kStep);
      EXPECT_NEAR(gradient.values[i], difference, 1e-6 * scale) << update.name << " " << i;
    }
  }
}

TEST(Training, MlpGradientsAreRight) {
  expect_right_gradients(mlp(), false, 4);
}

TEST(Training, MlpGradientsAreRightThroughMasterCopies) {
  expect_right_gradients(mlp(), true, 4);
}

TEST(Training, GradientsAreSummedOverFanOutAndSharedWeights) {
  expect_right_gradients(residual(), false, 3);
  expect_right_gradients(residual(), true, 3);
}

TEST(Training, GradientsOfMicroBatchesAreThoseOfTheirMeanLoss) {
  expect_right_gradients(with(mlp(), R"("micro_batches": 3)"), false, 4);
  expect_right_gradients(with(residual(), R"("micro_batches": 2)"), true, 3);
}

TEST(Training, RecomputationLeavesGradientsRight) {
  expect_right_gradients(with(residual(), R"("recompute_segments": 3)"), false, 3);
  expect_right_gradients(with(residual(), R"("micro_batches": 2, "recompute_segments": 4)"), true,
                         3);
}

// The first layer trains through a second one that stays as it is.
TEST(Training, FrozenWeightsArePassedThroughAndNotUpdated) {
  const std::string text = with(mlp(), R"("frozen": ["w2", "b?*"])");
  expect_right_gradients(text, false, 1);
  expect_right_gradients(text, true, 1);
  const Graph step = make_training_step(read_text(text), true);
  EXPECT_THAT(output_names(step), ElementsAre("loss", "w1.master.next"));
  EXPECT_EQ(step.find("w2.master"), kNoTensor);
}

TEST(Training, FrozenPatternsNameWeights) {
  EXPECT_THAT(testing::mistakes(with(mlp(), R"("frozen": ["w1", "w9*"])")),
              ElementsAre(HasSubstr("/training/frozen/1: unknown-tensor")));
}

/// Puts rows [first, first + rows) of a tensor into another.
void copy_rows(const Tensor& from, std::int64_t first, Tensor& to) {
  const auto row = static_cast<std::int64_t>(from.values.size()) / from.shape[0];
  std::copy_n(from.values.begin() + first * row, to.values.size(), to.values.begin());
}

// Two micro-batches of three samples make the step of one batch of six. (Shares that are no powers
// of two are rounded to FP32.)
TEST(Training, MicroBatchesMakeTheStepOfOneBatch) {
  const Graph whole = make_training_step(read_text(mlp()), false);
  Values values = initial_values(whole, 5);
  std::string parts = with(mlp(), R"("micro_batches": 2)");
  for (std::size_t at = parts.find("[6"); at != std::string::npos; at = parts.find("[6"))
    parts.replace(at, 2, "[3");
  const Graph step = make_training_step(read_text(parts), false);
  EXPECT_THAT(output_names(step), ElementsAre("loss", "w1.next", "b1.next", "w2.next", "b2.next"));
  EXPECT_EQ(step.inputs.size(), 4U);
  Values split = initial_values(step, 5);
  for (const char* name : {"x", "labels"})
    for (std::int64_t i = 0; i < 2; ++i)
      copy_rows(values[static_cast<std::size_t>(whole.find(name))], 3 * i,
                split[static_cast<std::size_t>(step.find(name + micro_batch_suffix(i)))]);
  evaluate_graph(whole, values);
  evaluate_graph(step, split);
  for (std::size_t i = 0; i < whole.outputs.size(); ++i) {
    const Tensor& a = values[static_cast<std::size_t>(whole.outputs[i])];
    const Tensor& b = split[static_cast<std::size_t>(step.outputs[i])];
    for (std::size_t j = 0; j < a.values.size(); ++j)
      EXPECT_NEAR(a.values[j], b.values[j], 1e-12) << whole.tensor(whole.outputs[i]).name;
  }
}

// h and r of the first segment are computed again; p crosses to the second, which is the last.
TEST(Training, RecomputationRepeatsTheForwardPassOfItsSegments) {
  const std::string chain =
      trainable(weight("w1", "[4, 5]") + "," + weight("w", "[4, 4]") + "," + weight("w2", "[3, 4]"),
                gemm("fc1", R"(["x", "w1"])", "h") +
                    R"(,{"op": "Softplus", "name": "soft1", "inputs": ["h"], "outputs": ["r"]},)" +
                    gemm("a", R"(["r", "w"])", "p") +
                    R"(,{"op": "Softplus", "name": "soft2", "inputs": ["p"], "outputs": ["s"]},)" +
                    gemm("fc2", R"(["s", "w2"])", "logits"));
  const Graph kept = make_training_step(read_text(chain), false);
  const Graph again =
      make_training_step(read_text(with(chain, R"("recompute_segments": 2)")), false);
  Values a = initial_values(kept, 3), b = initial_values(again, 3);
  evaluate_graph(kept, a);
  evaluate_graph(again, b);
  ASSERT_EQ(output_names(kept), output_names(again));
  for (std::size_t i = 0; i < kept.outputs.size(); ++i)
    EXPECT_EQ(a[static_cast<std::size_t>(kept.outputs[i])].values,
              b[static_cast<std::size_t>(again.outputs[i])].values);
  std::vector<std::string> repeated;
  for (const Node& node : again.nodes) {
    if (node.phase != Phase::backward) continue;
    if (node.name == "fc1.again" || node.name == "soft1.again") repeated.push_back(node.name);
    for (const TensorId id : node.inputs) {
      EXPECT_NE(again.tensor(id).name, "h") << node.name;
      EXPECT_NE(again.tensor(id).name, "r") << node.name;
    }
  }
  EXPECT_THAT(repeated, ElementsAre("fc1.again", "soft1.again"));
  EXPECT_EQ(again.nodes.size(), kept.nodes.size() + 2);
}

TEST(Training, OutputsAreLossThenUpdatedWeights) {
  const Workload workload = read_text(mlp());
  EXPECT_THAT(output_names(make_training_step(workload, false)),
              ElementsAre("loss", "w1.next", "b1.next", "w2.next", "b2.next"));
  EXPECT_THAT(
      output_names(make_training_step(workload, true)),
      ElementsAre("loss", "w1.master.next", "b1.master.next", "w2.master.next", "b2.master.next"));
}

TEST(Training, MasterCopiesAreCastBeforeTheStep) {
  const Graph graph = make_training_step(read_text(mlp()), true);
  EXPECT_EQ(graph.nodes[0].op, "Cast");
  EXPECT_EQ(graph.nodes[0].phase, Phase::forward);
  const TensorInfo& master = graph.tensor(graph.nodes[0].inputs[0]);
  const TensorInfo& working = graph.tensor(graph.nodes[0].outputs[0]);
  EXPECT_EQ(master.name, "w1.master");
  EXPECT_EQ(master.role, TensorRole::master_weight);
  EXPECT_TRUE(master.initializer);
  EXPECT_EQ(working.name, "w1");
  EXPECT_EQ(working.role, TensorRole::weight);
  EXPECT_FALSE(working.initializer);
  EXPECT_EQ(graph.tensor(graph.find("w1.master.next")).role, TensorRole::master_weight);
  EXPECT_EQ(graph.parameter_count(), read_text(mlp()).graph.parameter_count());
}

TEST(Training, MasterCopiesStartAsTheWeightsWould) {
  const Workload workload = read_text(mlp());
  const Graph graph = make_training_step(workload, true);
  const Values forward = initial_values(workload.graph, 5);
  const Values training = initial_values(graph, 5);
  EXPECT_EQ(values_name(graph.tensor(graph.find("w1.master"))), "w1");
  EXPECT_EQ(values_name(graph.tensor(graph.find("x"))), "x");
  for (const char* name : {"w1", "b2"})
    EXPECT_EQ(training[static_cast<std::size_t>(graph.find(std::string(name) + ".master"))].values,
              forward[static_cast<std::size_t>(workload.graph.find(name))].values);
}

TEST(Training, UpdateFollowsSgdWithWeightDecay) {
  const Graph graph = make_training_step(
      read_text(trainable(weight("w", "[3, 5]"), gemm("fc", R"(["x", "w"])", "logits"),
                          R"({"kind": "sgd", "learning_rate": 0.25, "weight_decay": 0.5})")),
      false);
  Values values = initial_values(graph, 3);
  evaluate_graph(graph, values);
  const Node update = nodes_of(graph, Phase::update).at(0);
  const auto value = [&](TensorId id) { return values[static_cast<std::size_t>(id)].values; };
  const std::vector<double> w = value(update.inputs[0]);
  const std::vector<double> g = value(update.inputs[1]);
  for (std::size_t i = 0; i < w.size(); ++i)
    EXPECT_NEAR(value(update.outputs[0])[i], w[i] - 0.25 * (g[i] + 0.5 * w[i]), 1e-15);
}

TEST(Training, NobodyComputesTheGradientOfTheData) {
  const Graph graph = make_training_step(read_text(mlp()), false);
  for (const Node& node : nodes_of(graph, Phase::backward))
    for (const TensorId id : node.outputs)
      EXPECT_NE(graph.tensor(id).shape, (Shape{6, 5})) << node.name;
}

TEST(Training, RolesTellGradientsApart) {
  const Graph graph = make_training_step(read_text(residual()), false);
  for (const Node& update : nodes_of(graph, Phase::update))
    EXPECT_EQ(graph.tensor(update.inputs[1]).role, TensorRole::weight_gradient) << update.name;
  EXPECT_EQ(graph.tensor(graph.outputs[0]).role, TensorRole::loss);
  EXPECT_EQ(graph.tensor(graph.outputs[1]).role, TensorRole::weight);
  int sums = 0;
  for (const Node& node : nodes_of(graph, Phase::backward)) sums += node.op == "Add" ? 1 : 0;
  EXPECT_EQ(sums, 3);  // w is used twice, h and r are read twice
}

TEST(Training, NodesComeInOrder) {
  const Graph graph = make_training_step(read_text(residual()), true);
  const std::vector<int> writer = writers(graph);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (const TensorId id : graph.nodes[i].inputs) {
      const int before = id == kNoTensor ? -1 : writer[static_cast<std::size_t>(id)];
      EXPECT_LT(before, static_cast<int>(i)) << graph.nodes[i].name;
    }
}

TEST(Training, UnreachedWeightsAreNotUpdated) {
  const Graph graph = make_training_step(
      read_text(trainable(weight("w", "[3, 5]") + "," + weight("aside", "[3, 5]"),
                          gemm("fc", R"(["x", "w"])", "logits") + "," +
                              gemm("other", R"(["x", "aside"])", "spare"))),
      false);
  EXPECT_THAT(output_names(graph), ElementsAre("loss", "w.next"));
}

TEST(Training, NeedsATrainingSection) {
  Workload workload = read_text(mlp());
  workload.training.reset();
  EXPECT_THROW(make_training_step(workload, false), base::InputError);
}

TEST(Training, NamesAnOpWithoutGradient) {
  const std::string text =
      trainable(weight("w1", "[4, 5]") + "," + weight("w2", "[3, 4]"),
                gemm("fc1", R"(["x", "w1"])", "h") +
                    R"(,{"op": "Hardmax", "name": "choice", "inputs": ["h"], "outputs": ["n"]},)" +
                    gemm("fc2", R"(["n", "w2"])", "logits"));
  EXPECT_THAT(testing::message(text), HasSubstr("Hardmax \"choice\""));
  EXPECT_THAT(testing::mistakes(text), ElementsAre(HasSubstr("/training: no-gradient")));
}

/// A layer with BatchNormalization behind it, running statistics 1.
std::string normalised() {
  const std::string ones =
      R"(, "shape": [3], "role": "statistics", "initializer": {"kind": "ones"}})";
  return trainable(
      weight("w", "[3, 5]") + "," + weight("scale", "[3]") + "," + weight("shift", "[3]") +
          R"(, {"name": "mean")" + ones + R"(, {"name": "var")" + ones,
      gemm("fc", R"(["x", "w"])", "h") +
          R"(,{"op": "BatchNormalization", "name": "bn", "inputs": ["h", "scale", "shift", "mean", "var"],
               "outputs": ["logits"]})");
}

TEST(Training, BatchNormalizationTakesTheBatchsStatistics) {
  const Graph step = make_training_step(read_text(normalised()), false);
  EXPECT_THAT(output_names(step),
              ElementsAre("loss", "mean.next", "var.next", "w.next", "scale.next", "shift.next"));
  Values values = initial_values(step, 1);
  evaluate_graph(step, values);
  const auto at = [&](const char* name) {
    return values.at(static_cast<std::size_t>(step.find(name))).values;
  };
  for (std::size_t c = 0; c < 3; ++c) {
    double sum = 0.0;
    double squares = 0.0;
    for (std::size_t row = 0; row < 6; ++row) sum += at("h")[row * 3 + c];
    for (std::size_t row = 0; row < 6; ++row)
      squares += std::pow(at("h")[row * 3 + c] - sum / 6.0, 2.0);
    EXPECT_NEAR(at("mean.next")[c], 0.9 + 0.1 * sum / 6.0, 1e-12);
    EXPECT_NEAR(at("var.next")[c], 0.9 + 0.1 * squares / 6.0, 1e-12);
  }
}

// Running statistics go from one micro-batch to the next and out once.
TEST(Training, RunningStatisticsPassThroughTheMicroBatches) {
  const Graph step =
      make_training_step(read_text(with(normalised(), R"("micro_batches": 2)")), false);
  EXPECT_THAT(output_names(step),
              ElementsAre("loss", "mean.next", "var.next", "w.next", "scale.next", "shift.next"));
  Values values = initial_values(step, 1);
  evaluate_graph(step, values);
  const auto at = [&](const char* name) {
    return values.at(static_cast<std::size_t>(step.find(name))).values;
  };
  for (std::size_t c = 0; c < 3; ++c) {
    double expected = 1.0;
    for (const char* batch : {"h", "h.batch1"}) {
      double sum = 0.0;
      for (std::size_t row = 0; row < 6; ++row) sum += at(batch)[row * 3 + c];
      expected = 0.9 * expected + 0.1 * sum / 6.0;
    }
    EXPECT_NEAR(at("mean.next")[c], expected, 1e-12);
  }
}

}  // namespace
}  // namespace npusim::workloads
