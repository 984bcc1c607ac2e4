// SPDX-License-Identifier: Apache-2.0
// A recipe's rules by op, name and layer, its casts in front of products, and loss scaling in the
// training graph.
#include "workloads/training/apply_recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evaluate_graph.h"
#include "workload_text.h"
#include "workloads/training/transform.h"

namespace npusim::workloads {
namespace {

using precision::bf16;
using precision::fp16;
using precision::fp32;

constexpr const char* kThreeLayers = R"({"schema_version": 1, "kind": "workload", "name": "t",
"inputs": [{"name": "x", "shape": [6, 5], "initializer": {"kind": "normal"}},
           {"name": "labels", "shape": [6], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "low": 0, "high": 2}}],
"initializers": [{"name": "w1", "shape": [4, 5], "initializer": {"kind": "normal"}},
                 {"name": "w2", "shape": [4, 4], "initializer": {"kind": "normal"}},
                 {"name": "w3", "shape": [3, 4], "initializer": {"kind": "normal"}}],
"nodes": [{"op": "Gemm", "name": "a", "inputs": ["x", "w1"], "attributes": {"transB": 1}},
          {"op": "Relu", "name": "a_relu", "inputs": ["a.out"]},
          {"op": "Gemm", "name": "b", "inputs": ["a_relu.out", "w2"], "attributes": {"transB": 1}},
          {"op": "Relu", "name": "b_relu", "inputs": ["b.out"]},
          {"op": "Gemm", "name": "c", "inputs": ["b_relu.out", "w3"], "outputs": ["logits"],
           "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "labels",
             "optimizer": {"kind": "sgd", "learning_rate": 0.5}}})";

Recipe low_recipe() {
  Recipe recipe;
  recipe.name = "low";
  recipe.weights = recipe.activations = recipe.activation_gradients = bf16();
  recipe.weight_gradients = recipe.optimizer_state = recipe.statistics = recipe.loss = fp32();
  recipe.internal = fp32();
  return recipe;
}

std::string format_of(const Graph& graph, const Recipe& recipe, const std::string& tensor) {
  const TensorId id = graph.find(tensor);
  return id == kNoTensor ? "absent"
                         : storage_formats(graph, recipe)[static_cast<std::size_t>(id)].format.name;
}

const Node& node_named(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes)
    if (node.name == name) return node;
  throw std::out_of_range(name);
}

TEST(ApplyRecipe, LastLayersWithTheirGradients) {
  Recipe recipe = low_recipe();
  RecipeRule rule;
  rule.last_layers = 1;
  rule.formats = {{TensorRole::activation, fp32()}, {TensorRole::activation_gradient, fp32()}};
  recipe.rules = {rule};
  const Graph graph = make_training_step(testing::read_text(kThreeLayers), recipe);
  EXPECT_EQ(format_of(graph, recipe, "logits"), "fp32");
  EXPECT_EQ(format_of(graph, recipe, "loss.dscores.out"),
            graph.find("loss.dscores.out") == kNoTensor ? "absent" : "fp32");
  EXPECT_EQ(format_of(graph, recipe, "c.da.out"), "fp32");  // the gradient by the layer's input
  EXPECT_EQ(format_of(graph, recipe, "b_relu.out"), "bf16");
  EXPECT_EQ(format_of(graph, recipe, "b.da.out"), "bf16");
  EXPECT_EQ(format_of(graph, recipe, "w3"), "bf16");
}

TEST(ApplyRecipe, FirstLayersPatternsAndOpsTheLastRuleCounts) {
  Recipe recipe = low_recipe();
  RecipeRule first, named, relu;
  first.first_layers = 1;
  first.formats = {{TensorRole::activation, fp16()}, {TensorRole::weight, fp32()}};
  named.nodes = "b*";
  named.formats = {{TensorRole::activation, fp32()}};
  relu.ops = {"Relu"};
  relu.internal = bf16();
  relu.formats = {{TensorRole::activation, fp32()}};
  recipe.rules = {first, named, relu};
  const Graph graph = apply_recipe(testing::read_text(kThreeLayers).graph, recipe);
  EXPECT_EQ(format_of(graph, recipe, "a.out"), "fp16");
  EXPECT_EQ(format_of(graph, recipe, "w1"), "fp32");
  EXPECT_EQ(format_of(graph, recipe, "a_relu.out"), "fp32");
  EXPECT_EQ(format_of(graph, recipe, "b.out"), "fp32");
  EXPECT_EQ(format_of(graph, recipe, "logits"), "bf16");
  EXPECT_EQ(node_named(graph, "a_relu").internal, std::optional(bf16()));
  EXPECT_EQ(node_named(graph, "a").internal, std::nullopt);
}

TEST(ApplyRecipe, OperandsAreCastOnceAndOnlyWhereTheyDiffer) {
  Recipe recipe = low_recipe();
  recipe.weights = fp32();
  recipe.operands = bf16();
  const Graph graph = make_training_step(testing::read_text(kThreeLayers), recipe);
  EXPECT_EQ(format_of(graph, recipe, "w2.as_bf16"), "bf16");
  EXPECT_EQ(graph.find("a_relu.out.as_bf16"), kNoTensor);
  int casts = 0;
  for (const Node& node : graph.nodes)
    if (node.op == "Cast") ++casts;
  EXPECT_EQ(casts, 3);  // of w1, w2, w3; the data gradients read the same copies
  for (const Node& node : graph.nodes)
    if (node.op == "Gemm") {
      for (int i = 0; i < 2; ++i)
        EXPECT_EQ(
            format_of(graph, recipe, graph.tensor(node.inputs[static_cast<std::size_t>(i)]).name),
            "bf16")
            << node.name;
    }
  // The update reads the weight itself.
  EXPECT_EQ(graph.tensor(node_named(graph, "w2.update").inputs[0]).name, "w2");
}

TEST(ApplyRecipe, StochasticRolesOnly) {
  Recipe recipe = low_recipe();
  recipe.stochastic_roles = {TensorRole::weight};
  recipe.stochastic_bits = 8;
  const Graph graph = make_training_step(testing::read_text(kThreeLayers), recipe);
  const auto storage = storage_formats(graph, recipe);
  EXPECT_EQ(storage[static_cast<std::size_t>(graph.find("w1.next"))].rounding,
            precision::Rounding::sr);
  EXPECT_EQ(storage[static_cast<std::size_t>(graph.find("logits"))].rounding,
            precision::Rounding::rne);
}

/// Scaling by a power of two leaves no trace in exact arithmetic: seed S, unscaled by 1 / S.
TEST(LossScaling, TheGraphScalesAndUnscales) {
  Recipe recipe = low_recipe();
  recipe.loss_scaling.kind = LossScalingSpec::Kind::constant;
  recipe.loss_scaling.initial = 1024.0;
  const Workload workload = testing::read_text(kThreeLayers);
  const Graph scaled = make_training_step(workload, recipe);
  const Graph plain = make_training_step(workload, false);
  testing::Values a = testing::initial_values(scaled, 5), b = testing::initial_values(plain, 5);
  testing::evaluate_graph(scaled, a);
  testing::evaluate_graph(plain, b);
  const auto of = [](const Graph& graph, const testing::Values& values, const char* name) {
    return values[static_cast<std::size_t>(graph.find(name))].values;
  };
  EXPECT_EQ(of(scaled, a, "w1.next"), of(plain, b, "w1.next"));
  EXPECT_EQ(of(scaled, a, kGradientsFinite), std::vector<double>{1.0});
  for (std::size_t i = 0; i < 20; ++i)
    EXPECT_EQ(of(scaled, a, "a.db.out")[i], 1024.0 * of(plain, b, "a.db.out")[i]);
  a[static_cast<std::size_t>(scaled.find(kLossScale))].values[0] = HUGE_VAL;
  testing::evaluate_graph(scaled, a);
  EXPECT_EQ(of(scaled, a, kGradientsFinite), std::vector<double>{0.0});
}

}  // namespace
}  // namespace npusim::workloads
