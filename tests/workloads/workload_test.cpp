// SPDX-License-Identifier: Apache-2.0
#include "workloads/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/array_file.h"
#include "tests/source_dir.h"
#include "workload_text.h"

namespace npusim::workloads {
namespace {

using ::testing::ElementsAre;
using testing::read_text;

std::vector<std::string> node_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.name);
  return names;
}

const char* const kChain = R"({
  "schema_version": 1, "kind": "workload", "name": "chain",
  "parameters": {"batch": 2, "wide": 12},
  "inputs": [{"name": "x", "shape": ["batch", "wide/3"], "initializer": {"kind": "normal"}}],
  "initializers": [
    {"name": "w", "shape": ["wide", 4], "initializer": {"kind": "kaiming_normal"}},
    {"name": "b", "shape": ["wide"], "initializer": {"kind": "zeros"}}
  ],
  "nodes": [
    {"op": "Relu", "name": "relu", "inputs": ["fc.out"], "outputs": ["y"]},
    {"op": "Gemm", "name": "fc", "inputs": ["x", "w", "b"], "attributes": {"transB": 1}}
  ],
  "outputs": ["y"]
})";

TEST(Workload, SortsNodesAndInfersShapes) {
  const Workload workload = read_text(kChain);
  EXPECT_EQ(workload.name, "chain");
  EXPECT_EQ(workload.batch, 2);
  EXPECT_FALSE(workload.training);
  const Graph& graph = workload.graph;
  EXPECT_THAT(node_names(graph), ElementsAre("fc", "relu"));
  EXPECT_EQ(graph.tensor(graph.find("fc.out")).shape, (Shape{2, 12}));
  ASSERT_EQ(graph.outputs.size(), 1U);
  EXPECT_EQ(graph.tensor(graph.outputs[0]).name, "y");
  EXPECT_EQ(graph.parameter_count(), 12 * 4 + 12);
  EXPECT_EQ(graph.mac_count(), 2 * 12 * 4);
  EXPECT_EQ(graph.tensor(graph.find("w")).role, TensorRole::weight);
  EXPECT_EQ(graph.tensor(graph.find("w")).initializer->kind, Initializer::Kind::kaiming_normal);
}

TEST(Workload, ParametersCanBeSet) {
  const Workload workload = read_text(kChain, {"workload.parameters.batch=8"});
  EXPECT_EQ(workload.batch, 8);
  EXPECT_EQ(workload.graph.tensor(workload.graph.find("y")).shape, (Shape{8, 12}));
}

TEST(Workload, AttributesAreCompletedWithDefaults) {
  const Workload workload = read_text(kChain);
  const Attributes& attributes = workload.graph.nodes[0].attributes;
  EXPECT_EQ(std::get<std::int64_t>(attributes.at("transB")), 1);
  EXPECT_EQ(std::get<std::int64_t>(attributes.at("transA")), 0);
  EXPECT_EQ(std::get<double>(attributes.at("alpha")), 1.0);
}

const char* const kBlocks = R"({
  "schema_version": 1, "kind": "workload", "name": "blocks", "parameters": {"batch": 3},
  "inputs": [{"name": "x", "shape": ["batch", 8]}],
  "blocks": {
    "layer": {
      "parameters": {"in": 8, "out": "in"},
      "inputs": ["x"],
      "initializers": [
        {"name": "w", "shape": ["out", "in"], "initializer": {"kind": "kaiming_normal"}}
      ],
      "nodes": [
        {"op": "Gemm", "name": "fc", "inputs": ["x", "w"], "attributes": {"transB": 1}},
        {"op": "Relu", "name": "relu", "inputs": ["fc.out"], "outputs": ["y"]}
      ],
      "outputs": ["y"]
    },
    "pair": {
      "parameters": {"width": 8},
      "inputs": ["x"],
      "nodes": [
        {"block": "layer", "name": "a", "inputs": ["x"], "parameters": {"in": "width"}},
        {"block": "layer", "name": "b", "inputs": ["a.out"], "outputs": ["y"],
         "parameters": {"in": "width"}},
        {"op": "Add", "name": "add", "inputs": ["y", "x"]}
      ],
      "outputs": ["add.out"]
    }
  },
  "nodes": [
    {"block": "layer", "name": "first", "inputs": ["x"], "parameters": {"out": 4}},
    {"block": "pair", "name": "body", "repeat": 2, "inputs": ["first.out"],
     "parameters": {"width": 4}, "outputs": ["z"]}
  ],
  "outputs": ["z"]
})";

TEST(Workload, BlocksNestRepeatAndNameTheirParts) {
  const Graph graph = read_text(kBlocks).graph;
  EXPECT_THAT(node_names(graph),
              ElementsAre("first.fc", "first.relu", "body.0.a.fc", "body.0.a.relu", "body.0.b.fc",
                          "body.0.b.relu", "body.0.add", "body.1.a.fc", "body.1.a.relu",
                          "body.1.b.fc", "body.1.b.relu", "body.1.add"));
  EXPECT_EQ(graph.tensor(graph.find("first.w")).shape, (Shape{4, 8}));
  EXPECT_EQ(graph.tensor(graph.find("body.1.b.w")).shape, (Shape{4, 4}));
  EXPECT_EQ(graph.parameter_count(), 4 * 8 + 4 * 16);
}

TEST(Workload, CopiesFeedEachOther) {
  const Graph graph = read_text(kBlocks).graph;
  const auto input_of = [&](const std::string& node, std::size_t i) {
    for (const Node& candidate : graph.nodes)
      if (candidate.name == node) return graph.tensor(candidate.inputs[i]).name;
    return std::string("no such node");
  };
  EXPECT_EQ(input_of("body.0.a.fc", 0), "first.out");
  EXPECT_EQ(input_of("body.0.b.fc", 0), "body.0.a.out");
  EXPECT_EQ(input_of("body.1.a.fc", 0), "body.0.add.out");
  EXPECT_EQ(input_of("body.1.add", 1), "body.0.add.out");
  EXPECT_EQ(graph.tensor(graph.outputs[0]).name, "z");
  EXPECT_EQ(writers(graph)[static_cast<std::size_t>(graph.outputs[0])], 11);
}

TEST(Workload, TheExampleOfTheReadmeIsRight) {
  std::ifstream file(test::source_dir() + "/workloads/README.md");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const std::size_t begin = text.find("```json\n") + 8;
  const Workload workload = read_text(text.substr(begin, text.find("```", begin) - begin));
  EXPECT_EQ(workload.graph.parameter_count(), 3 * 64 * 64 + 10 * 64);
  EXPECT_NE(workload.graph.find("hidden.0.weight"), kNoTensor);
  EXPECT_TRUE(workload.training);
}

const char* const kExpressions = R"({
  "schema_version": 1, "kind": "workload", "name": "e", "parameters": {"words": 7, "past": 3},
  "inputs": [{"name": "x", "shape": [2, 6]},
             {"name": "t", "shape": [4], "type": "int64",
              "initializer": {"kind": "uniform_int", "low": "past", "high": "words - 1"}}],
  "initializers": [
    {"name": "to", "shape": [2], "type": "int64",
     "initializer": {"kind": "values", "values": ["past", "(words - 5)*2"]}},
    {"name": "half", "shape": [2], "role": "statistics",
     "initializer": {"kind": "values", "values": ["-past", 0.5]}},
    {"name": "cos", "shape": [2, 3], "role": "statistics",
     "initializer": {"kind": "rotary_cos", "base": "words*10", "start": "past"}},
    {"name": "cache", "shape": [3, 4], "role": "state", "initializer": {"kind": "normal"}}],
  "nodes": [{"op": "Reshape", "name": "r", "inputs": ["x", "to"]},
            {"op": "Add", "name": "a", "inputs": ["r.out", "cache"]}], "outputs": ["a.out"]
})";

TEST(Workload, NumbersOfInitializersMayBeExpressions) {
  const Graph graph = read_text(kExpressions).graph;
  const auto initializer = [&](const char* name) {
    return *graph.tensor(graph.find(name)).initializer;
  };
  EXPECT_EQ(initializer("t").low, 3.0);
  EXPECT_EQ(initializer("t").high, 6.0);
  EXPECT_THAT(*initializer("to").values, ElementsAre(3.0, 4.0));
  EXPECT_EQ(graph.tensor(graph.find("r.out")).shape, (Shape{3, 4}));
  EXPECT_THAT(*initializer("half").values, ElementsAre(-3.0, 0.5));
  EXPECT_EQ(initializer("cos").value, 70.0);
  EXPECT_EQ(initializer("cos").low, 3.0);
  EXPECT_EQ(graph.tensor(graph.find("cache")).role, TensorRole::state);
  EXPECT_EQ(graph.parameter_count(), 0);
}

TEST(Workload, WrongExpressionsOfInitializersAreToldWhereTheyStand) {
  const auto message = [](const std::string& old, const std::string& replacement) {
    std::string text = kExpressions;
    text.replace(text.find(old), old.size(), replacement);
    std::string all;
    for (const std::string& mistake : testing::mistakes(text)) all += mistake + "\n";
    return all;
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(message("words - 1", "past - 1"), HasSubstr("/inputs/1/initializer: out-of-range"));
  EXPECT_THAT(message("(words - 5)*2", "2*word"),
              HasSubstr("/initializers/0/initializer/values/1: unknown-parameter"));
  EXPECT_THAT(message("words*10", "past - 2"),
              HasSubstr("/initializers/2/initializer/base: out-of-range"));
}

TEST(Workload, EveryShippedNetworkLoadsUnderItsFileName) {
  const std::filesystem::path folder = std::filesystem::path(test::source_dir()) / "workloads";
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    const Workload workload = load_workload(entry.path().string());
    EXPECT_EQ(workload.name, entry.path().stem());
    EXPECT_FALSE(workload.description.empty());
    for (const TensorId id : workload.graph.inputs)
      EXPECT_TRUE(workload.graph.tensor(id).initializer) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 3);
}

TEST(Workload, InputsMayHaveNoInitializer) {
  EXPECT_FALSE(read_text(kBlocks).graph.tensor(0).initializer);
}

TEST(Workload, FilesAreFoundBesideTheWorkload) {
  const testing::TempFolder folder;
  base::write_npy(folder.path("x.npy"), {base::ElementKind::f32, {2}, {1.0, 2.0}});
  const std::string path = folder.write("w.json", R"({
    "schema_version": 1, "kind": "workload", "name": "f",
    "inputs": [{"name": "x", "shape": [2], "initializer": {"kind": "file", "path": "x.npy"}}],
    "nodes": [{"op": "Relu", "name": "r", "inputs": ["x"]}], "outputs": ["r.out"]})");
  const Graph graph = load_workload(path).graph;
  EXPECT_EQ(graph.tensor(graph.find("x")).initializer->path, folder.path("x.npy"));
}

TEST(Workload, ReadsTheTrainingSection) {
  const Workload workload = read_text(R"({
    "schema_version": 1, "kind": "workload", "name": "t",
    "inputs": [{"name": "x", "shape": [4, 3]},
               {"name": "labels", "shape": [4], "type": "int64", "role": "label",
                "initializer": {"kind": "uniform_int", "low": 0, "high": 1}}],
    "initializers": [{"name": "w", "shape": [2, 3], "initializer": {"kind": "xavier_uniform"}}],
    "nodes": [{"op": "Gemm", "name": "fc", "inputs": ["x", "w"], "attributes": {"transB": 1}}],
    "outputs": ["fc.out"],
    "training": {"logits": "fc.out", "labels": "labels",
                 "optimizer": {"kind": "sgd", "learning_rate": 0.5, "weight_decay": 0.125}}})");
  ASSERT_TRUE(workload.training);
  EXPECT_EQ(workload.training->logits, "fc.out");
  EXPECT_EQ(workload.training->loss, "SoftmaxCrossEntropyLoss");
  EXPECT_EQ(workload.training->optimizer.learning_rate, 0.5);
  EXPECT_EQ(workload.training->optimizer.weight_decay, 0.125);
}

TEST(Graph, RefusesWhatDoesNotFitAndStaysAsItWas) {
  Graph graph = read_text(kChain).graph;
  const std::size_t tensors = graph.tensors.size();
  const TensorId x = graph.find("x");
  const TensorId w = graph.find("w");
  EXPECT_THROW(graph.add_node("Gemm", "bad", {x, x}, {}, {"bad.out"}), base::InputError);
  EXPECT_THROW(graph.add_node("Gemm", "bad", {x}, {}, {"bad.out"}), base::InputError);
  EXPECT_THROW(graph.add_node("Relu", "bad", {x}, {{"no", std::int64_t{1}}}, {"bad.out"}),
               base::InputError);
  EXPECT_THROW(graph.add_node("Gemm", "bad", {x, w}, {{"transB", std::string("1")}}, {"bad.out"}),
               base::InputError);
  EXPECT_THROW(graph.add_node("Relu", "bad", {x}, {}, {"y"}), base::InputError);
  EXPECT_THROW(graph.add_node("Relu", "bad", {x}, {}, {"p", "q"}), base::InputError);
  EXPECT_THROW(graph.add_node("Relu", "bad", {kNoTensor}, {}, {"bad.out"}), base::InputError);
  EXPECT_EQ(graph.tensors.size(), tensors);
  EXPECT_EQ(graph.find("bad.out"), kNoTensor);
  EXPECT_EQ(graph.nodes.size(), 2U);
}

TEST(Graph, CountsReadersByInput) {
  Graph graph = read_text(kChain).graph;
  const TensorId y = graph.find("y");
  graph.add_node("Mul", "square", {y, y}, {}, {"square.out"});
  const std::vector<int> readers = reader_counts(graph);
  EXPECT_EQ(readers[static_cast<std::size_t>(y)], 3);  // twice by Mul, once as output
  EXPECT_EQ(readers[static_cast<std::size_t>(graph.find("x"))], 1);
  EXPECT_EQ(readers[static_cast<std::size_t>(graph.find("square.out"))], 0);
}

TEST(Graph, SortNamesTheNodesOfACycle) {
  Graph graph = read_text(kChain).graph;
  graph.nodes[0].inputs[0] = graph.find("y");
  try {
    sort_topologically(graph);
    FAIL() << "no error";
  } catch (const base::InputError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("fc"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("relu"));
  }
}

TEST(Graph, SortsShuffledNodes) {
  Graph graph = read_text(kBlocks).graph;
  std::reverse(graph.nodes.begin(), graph.nodes.end());
  sort_topologically(graph);
  std::vector<char> ready(graph.tensors.size(), 1);
  for (const Node& node : graph.nodes)
    for (const TensorId id : node.outputs) ready[static_cast<std::size_t>(id)] = 0;
  for (const Node& node : graph.nodes) {
    for (const TensorId id : node.inputs) EXPECT_TRUE(ready[static_cast<std::size_t>(id)]);
    for (const TensorId id : node.outputs) ready[static_cast<std::size_t>(id)] = 1;
  }
}

}  // namespace
}  // namespace npusim::workloads
