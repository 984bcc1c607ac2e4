// SPDX-License-Identifier: Apache-2.0
// Networks spread over devices: the same function and the same training step as the whole network,
// with the collectives of Megatron-LM.
#include "workloads/parallel/tensor_parallel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "evaluate_graph.h"
#include "tests/source_dir.h"
#include "workload_text.h"
#include "workloads/training/transform.h"

namespace npusim::workloads {
namespace {

using testing::evaluate_graph;
using ::testing::HasSubstr;
using testing::read_text;
using testing::Values;

Workload small_gpt() {
  std::vector<base::Override> overrides;
  for (const char* set : {"workload.parameters.batch=2", "workload.parameters.sequence=5",
                          "workload.parameters.positions=8", "workload.parameters.vocab=11",
                          "workload.parameters.hidden=24", "workload.parameters.heads=6",
                          "workload.parameters.layers=2"})
    overrides.push_back(base::parse_override(set).override);
  return load_workload(test::source_dir() + "/workloads/small_gpt.json", overrides);
}

Workload spread(const Workload& workload, std::int64_t devices, bool one_device = false) {
  TensorParallel parallel;
  parallel.devices = devices;
  parallel.one_device = one_device;
  return spread_over_devices(workload, parallel);
}

Values initial(const Graph& graph) {
  Values values(graph.tensors.size());
  for (std::size_t i = 0; i < graph.tensors.size(); ++i)
    if (const TensorInfo& info = graph.tensors[i]; info.initializer)
      values[i] = make_values(*info.initializer, info.shape, info.type, values_name(info), 3);
  return values;
}

const Tensor& at(const Graph& graph, const Values& values, const std::string& name) {
  const TensorId id = graph.find(name);
  EXPECT_NE(id, kNoTensor) << name;
  return values[static_cast<std::size_t>(id)];
}

std::int64_t count(const Graph& graph, const std::string& op, Phase phase) {
  return std::count_if(graph.nodes.begin(), graph.nodes.end(),
                       [&](const Node& node) { return node.op == op && node.phase == phase; });
}

TEST(TensorParallel, ComputesWhatTheWholeNetworkComputes) {
  const Workload whole = small_gpt();
  Values expected = initial(whole.graph);
  evaluate_graph(whole.graph, expected);
  for (const std::int64_t devices : {2, 3}) {
    const Workload parts = spread(whole, devices);
    Values values = initial(parts.graph);
    evaluate_graph(parts.graph, values);
    const std::vector<double>& logits = at(parts.graph, values, "logits").values;
    const std::vector<double>& exact = at(whole.graph, expected, "logits").values;
    ASSERT_EQ(logits.size(), exact.size());
    for (std::size_t i = 0; i < logits.size(); ++i) EXPECT_NEAR(logits[i], exact[i], 1e-12) << i;
    EXPECT_EQ(parts.graph.mac_count(), whole.graph.mac_count());
  }
}

// After one step of SGD every weight is the whole network's.
TEST(TensorParallel, TrainsAsTheWholeNetworkTrains) {
  const Workload whole = small_gpt();
  const Graph step = make_training_step(whole, false);
  Values expected = initial(step);
  evaluate_graph(step, expected);
  const Graph parts = make_training_step(spread(whole, 3), false);
  Values values = initial(parts);
  evaluate_graph(parts, values);
  int weights = 0;
  for (const TensorId id : step.outputs) {
    const std::string& name = step.tensor(id).name;
    const std::vector<double>& exact = expected[static_cast<std::size_t>(id)].values;
    const std::vector<double>& found = at(parts, values, name).values;
    ASSERT_EQ(found.size(), exact.size()) << name;
    for (std::size_t i = 0; i < exact.size(); ++i)
      ASSERT_NEAR(found[i], exact[i], 1e-12) << name << " " << i;
    weights += name.find(".next") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(weights, 2 * 12 + 4);  // of both layers, embeddings, and the last normalisation
}

// Megatron-LM, figure 4: two all-reduces a layer forward, two backward.
TEST(TensorParallel, TwoSumsALayerForwardAndTwoBackward) {
  for (const bool one_device : {false, true}) {
    const Graph step = make_training_step(spread(small_gpt(), 3, one_device), false);
    EXPECT_EQ(count(step, "AllReduce", Phase::forward), 2 * 2);
    EXPECT_EQ(count(step, "AllReduce", Phase::backward), 2 * 2);
  }
}

TEST(TensorParallel, OneDeviceHasItsPartOfTheWork) {
  const Workload whole = small_gpt();
  const Workload one = spread(whole, 3, true), all = spread(whole, 3);
  std::int64_t shared = 0;  // what each device does alike: the head
  for (const Node& node : whole.graph.nodes)
    if (node.name == "lm_head") shared = ops().at(node.op).macs(NodeView(whole.graph, node));
  EXPECT_EQ(3 * (one.graph.mac_count() - shared) + shared, whole.graph.mac_count());
  const auto elements = [](const Graph& graph, const std::string& name) {
    return element_count(graph.tensor(graph.find(name)).shape);
  };
  for (const char* weight : {"attn.c_attn.weight", "attn.c_attn.bias", "mlp.c_proj.weight"}) {
    const std::string name = std::string("transformer.h.0.") + weight;
    EXPECT_EQ(3 * elements(one.graph, name), elements(whole.graph, name)) << name;
    EXPECT_EQ(elements(all.graph, name), elements(whole.graph, name)) << name;
  }
  for (const Node& node : one.graph.nodes)
    EXPECT_EQ(std::count_if(all.graph.nodes.begin(), all.graph.nodes.end(),
                            [&](const Node& other) { return other.name == node.name; }),
              1)
        << node.name;
}

std::string pair_of_products(const std::string& between, int width = 6,
                             const std::string& outputs = "\"y\"") {
  return R"({"schema_version": 1, "kind": "workload", "name": "t",
"inputs": [{"name": "x", "shape": [2, 5], "initializer": {"kind": "normal"}}],
"initializers": [{"name": "a", "shape": [5, )" +
         std::to_string(width) + R"(], "initializer": {"kind": "normal"}},
{"name": "b", "shape": [)" +
         std::to_string(width) + R"(, 3], "initializer": {"kind": "normal"}}],
"nodes": [{"op": "MatMul", "name": "first", "inputs": ["x", "a"], "outputs": ["h"]},)" +
         between + R"(,{"op": "MatMul", "name": "second", "inputs": ["r", "b"], "outputs": ["y"]}],
"outputs": [)" +
         outputs + "]}";
}

constexpr const char* kRelu =
    R"({"op": "Relu", "name": "relu", "inputs": ["h"], "outputs": ["r"]})";

TEST(TensorParallel, WhatCannotBeSharedIsRefused) {
  EXPECT_EQ(count(spread(read_text(pair_of_products(kRelu)), 3).graph, "AllReduce", Phase::forward),
            1);
  for (const std::string& text :
       {pair_of_products(kRelu, 7), pair_of_products(kRelu, 6, R"("y", "h")"),
        pair_of_products(R"({"op": "Softmax", "name": "s", "inputs": ["h"], "outputs": ["r"]})")})
    try {
      spread(read_text(text), 3);
      ADD_FAILURE() << text;
    } catch (const base::InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("no pair of products that 3 devices can share"));
    }
  Workload lamb = small_gpt();
  lamb.training->optimizer.kind = OptimizerSpec::Kind::lamb;
  EXPECT_THROW(spread(lamb, 2), base::InputError);
}

TEST(TensorParallel, PlainNamesLeaveOutBatchesAndDevices) {
  EXPECT_EQ(plain_name("fc1.device2.batch10.dx"), "fc1.dx");
  EXPECT_EQ(plain_name("batch1"), "batch1");
  EXPECT_EQ(plain_name("a.batchnorm.device"), "a.batchnorm.device");
}

}  // namespace
}  // namespace npusim::workloads
