// SPDX-License-Identifier: Apache-2.0
#include "workloads/decompose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "evaluate_graph.h"
#include "workload_text.h"

namespace npusim::workloads {
namespace {

using ::testing::ElementsAre;
using testing::evaluate_graph;
using testing::initial_values;
using testing::read_text;
using testing::Values;

const char* const kNetwork = R"({"schema_version": 1, "kind": "workload", "name": "t",
"inputs": [{"name": "x", "shape": [6, 5], "initializer": {"kind": "normal"}},
           {"name": "labels", "shape": [6], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "low": 0, "high": 2}}],
"initializers": [
  {"name": "w", "shape": [3, 5], "initializer": {"kind": "normal"}},
  {"name": "b", "shape": [3], "initializer": {"kind": "normal"}}],
"nodes": [
  {"op": "Gemm", "name": "fc", "inputs": ["x", "w", "b"], "attributes": {"transB": 1}},
  {"op": "Relu", "name": "relu", "inputs": ["fc.out"]},
  {"op": "SoftmaxCrossEntropyLoss", "name": "loss", "inputs": ["relu.out", "labels"]}],
"outputs": ["loss.out", "fc.out"]})";

std::vector<double> value_of(const Graph& graph, const std::string& name) {
  Values values = initial_values(graph, 9);
  evaluate_graph(graph, values);
  return values[static_cast<std::size_t>(graph.find(name))].values;
}

TEST(Decompose, KeepsValuesAndNames) {
  const Graph graph = read_text(kNetwork).graph;
  const DecomposedGraph result = decompose(graph, [](const Node&) { return true; });
  for (const Node& node : result.graph.nodes)
    EXPECT_THAT(node.op, ::testing::Not(::testing::AnyOf("Gemm", "SoftmaxCrossEntropyLoss")));
  ASSERT_EQ(result.graph.outputs.size(), 2U);
  EXPECT_EQ(result.graph.tensor(result.graph.outputs[0]).name, "loss.out");
  EXPECT_EQ(result.graph.tensor(result.graph.outputs[1]).name, "fc.out");
  for (const char* name : {"loss.out", "fc.out"}) {
    const std::vector<double> before = value_of(graph, name);
    const std::vector<double> after = value_of(result.graph, name);
    ASSERT_EQ(before.size(), after.size());
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before[i], after[i], 1e-14);
  }
}

TEST(Decompose, TellsWhereEachNodeComesFrom) {
  const Graph graph = read_text(kNetwork).graph;
  const DecomposedGraph result =
      decompose(graph, [](const Node& node) { return node.op == "Gemm"; });
  ASSERT_EQ(result.origin.size(), result.graph.nodes.size());
  std::vector<std::string> origins = result.origin;
  origins.erase(std::unique(origins.begin(), origins.end()), origins.end());
  EXPECT_THAT(origins, ElementsAre("fc", "relu", "loss"));
  EXPECT_GE(result.graph.nodes.size(), 4U);
  EXPECT_EQ(result.graph.nodes[result.graph.nodes.size() - 2].name, "relu");
}

TEST(Decompose, LeavesTheRestAlone) {
  const Graph graph = read_text(kNetwork).graph;
  const DecomposedGraph result = decompose(graph, [](const Node&) { return false; });
  ASSERT_EQ(result.graph.nodes.size(), graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    EXPECT_EQ(result.graph.nodes[i].name, graph.nodes[i].name);
    EXPECT_EQ(result.origin[i], graph.nodes[i].name);
  }
  EXPECT_EQ(result.graph.tensors.size(), graph.tensors.size());
}

TEST(Decompose, KeepsMacs) {
  const Graph graph = read_text(kNetwork).graph;
  EXPECT_EQ(decompose(graph, [](const Node&) { return true; }).graph.mac_count(),
            graph.mac_count());
}

}  // namespace
}  // namespace npusim::workloads
