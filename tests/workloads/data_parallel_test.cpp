// SPDX-License-Identifier: Apache-2.0
// Data-parallel training steps as graphs: what is reduced, in which buckets, and that the step is
// the one of a single device that has all samples.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "evaluate_graph.h"
#include "workload_text.h"
#include "workloads/training/reduce_gradients.h"
#include "workloads/training/transform.h"

namespace npusim::workloads {
namespace {

using ::testing::ElementsAre;
using testing::evaluate_graph;
using testing::initial_values;
using testing::read_text;
using testing::Values;

/// x (batch, 5) -> 4 -> 3 classes, with a batch normalisation between when asked for.
Workload network(int batch, bool normalised = false) {
  const std::string between =
      normalised
          ? R"({"op": "BatchNormalization", "name": "bn", "inputs": ["fc1.out", "g", "b", "m", "v"]},
               {"op": "Relu", "name": "relu", "inputs": ["bn.out"]})"
          : R"({"op": "Relu", "name": "relu", "inputs": ["fc1.out"]})";
  const std::string more = normalised
                               ? R"(, {"name": "g", "shape": [4], "initializer": {"kind": "ones"}},
{"name": "b", "shape": [4], "initializer": {"kind": "zeros"}},
{"name": "m", "shape": [4], "role": "statistics", "initializer": {"kind": "zeros"}},
{"name": "v", "shape": [4], "role": "statistics", "initializer": {"kind": "ones"}})"
                               : "";
  return read_text(R"({"schema_version": 1, "kind": "workload", "name": "t",
"parameters": {"batch": )" +
                   std::to_string(batch) +
                   R"(},
"inputs": [{"name": "x", "shape": ["batch", 5], "initializer": {"kind": "normal"}},
           {"name": "labels", "shape": ["batch"], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "low": 0, "high": 2}}],
"initializers": [
  {"name": "w1", "shape": [4, 5], "initializer": {"kind": "normal"}},
  {"name": "w2", "shape": [3, 4], "initializer": {"kind": "normal"}},
  {"name": "b2", "shape": [3], "initializer": {"kind": "zeros"}})" +
                   more + R"(],
"nodes": [{"op": "Gemm", "name": "fc1", "inputs": ["x", "w1"], "attributes": {"transB": 1}},)" +
                   between + R"(,
  {"op": "Gemm", "name": "fc2", "inputs": ["relu.out", "w2", "b2"], "outputs": ["logits"],
   "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "labels",
             "optimizer": {"kind": "sgd", "learning_rate": 0.1}}})");
}

Workload on_devices(Workload workload, std::int64_t devices, std::int64_t bucket_bytes = 1 << 20) {
  GradientReduction reduction;
  reduction.devices = devices;
  reduction.bucket_bytes = bucket_bytes;
  workload.training->reduction = reduction;
  return workload;
}

const Tensor& at(const Graph& graph, const Values& values, const std::string& name) {
  const TensorId id = graph.find(name);
  EXPECT_NE(id, kNoTensor) << name;
  return values[static_cast<std::size_t>(id)];
}

/// The samples of the devices one after the other.
void join(const Graph& whole, Values& all, const Graph& parts, const Values& values,
          const std::string& name, std::int64_t devices) {
  std::vector<double>& into = all[static_cast<std::size_t>(whole.find(name))].values;
  into.clear();
  for (std::int64_t d = 0; d < devices; ++d) {
    const std::vector<double>& from = at(parts, values, name + micro_batch_suffix(d)).values;
    into.insert(into.end(), from.begin(), from.end());
  }
}

TEST(DataParallel, DevicesTogetherMakeTheStepOfOneThatHasAllSamples) {
  const Graph parts = make_training_step(on_devices(network(2), 4), false);
  const Graph whole = make_training_step(network(8), false);
  Values values = initial_values(parts, 3), all = initial_values(whole, 3);
  for (const char* name : {"x", "labels"}) join(whole, all, parts, values, name, 4);
  evaluate_graph(parts, values);
  evaluate_graph(whole, all);
  EXPECT_NEAR(values[static_cast<std::size_t>(parts.outputs[0])].values[0],
              all[static_cast<std::size_t>(whole.outputs[0])].values[0], 1e-13);
  for (const char* name : {"w1.next", "w2.next", "b2.next"})
    for (std::size_t i = 0; i < at(whole, all, name).values.size(); ++i)
      EXPECT_NEAR(at(parts, values, name).values[i], at(whole, all, name).values[i], 1e-13)
          << name << " " << i;
}

TEST(DataParallel, MicroBatchesAreAddedOnEachDeviceFirst) {
  Workload micro = on_devices(network(2), 2);
  micro.training->micro_batches = 2;
  EXPECT_EQ(micro.samples_per_step(), 8);
  const Graph parts = make_training_step(micro, false);
  const Graph whole = make_training_step(network(8), false);
  Values values = initial_values(parts, 3), all = initial_values(whole, 3);
  for (const char* name : {"x", "labels"}) join(whole, all, parts, values, name, 4);
  evaluate_graph(parts, values);
  evaluate_graph(whole, all);
  for (std::size_t i = 0; i < 20; ++i)
    EXPECT_NEAR(at(parts, values, "w1.next").values[i], at(whole, all, "w1.next").values[i], 1e-13);
  std::int64_t reduced = 0;
  for (const Node& node : parts.nodes)
    if (node.op == "AllReduce") {
      ++reduced;
      EXPECT_EQ(node.inputs.size(), 2U * 3U);  // two devices, three weights
    }
  EXPECT_EQ(reduced, 1);
}

TEST(DataParallel, BucketsAreFilledInTheOrderOfTheBackwardPass) {
  EXPECT_THAT(buckets_of({3, 4, 5, 20, 1, 1}, 8),
              ElementsAre(ElementsAre(0, 1), ElementsAre(2), ElementsAre(3), ElementsAre(4, 5)));
  // fc2 comes first on the way back: w2 (12 elements) and b2 (3), then w1 (20).
  const Graph step = make_training_step(on_devices(network(2), 2, 64), false);
  std::vector<std::vector<std::string>> buckets;
  for (const Node& node : step.nodes) {
    if (node.op != "AllReduce") continue;
    EXPECT_EQ(node.internal, precision::fp32());
    buckets.emplace_back();
    for (const TensorId id : node.outputs) buckets.back().push_back(step.tensor(id).name);
  }
  ASSERT_EQ(buckets.size(), 2U);
  std::sort(buckets[0].begin(), buckets[0].end());
  EXPECT_THAT(buckets[0], ElementsAre("b2.reduced", "w2.reduced"));
  EXPECT_THAT(buckets[1], ElementsAre("w1.reduced"));
}

// One device's graph has its own share of the nodes, under the same names, and the same buckets.
TEST(DataParallel, OneDeviceIsTheFirstOfThem) {
  Workload workload = on_devices(network(2), 3, 64);
  const Graph all = make_training_step(workload, false);
  workload.training->reduction->one_device = true;
  EXPECT_EQ(workload.samples_per_step(), 2);
  const Graph one = make_training_step(workload, false);
  std::vector<std::string> names, first;
  for (const Node& node : one.nodes) names.push_back(node.name);
  for (const Node& node : all.nodes) {
    const bool other = node.name.find(".batch1") != std::string::npos ||
                       node.name.find(".batch2") != std::string::npos ||
                       node.name.find("loss.sum") != std::string::npos || node.name == "loss";
    if (!other && node.name.find("batch") == std::string::npos) first.push_back(node.name);
  }
  for (const std::string& name : first)
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  EXPECT_EQ(std::count_if(one.nodes.begin(), one.nodes.end(),
                          [](const Node& node) { return node.op == "AllReduce"; }),
            2);
}

// Each device normalises by its own samples; the running statistics are the first one's.
TEST(DataParallel, RunningStatisticsAreThoseOfTheFirstDevice) {
  const Graph parts = make_training_step(on_devices(network(4, true), 2), false);
  const Graph first = make_training_step(network(4, true), false);
  Values values = initial_values(parts, 3), alone = initial_values(first, 3);
  evaluate_graph(parts, values);
  evaluate_graph(first, alone);
  for (const char* name : {"m.next", "v.next"}) {
    EXPECT_EQ(at(parts, values, name).values, at(first, alone, name).values) << name;
    EXPECT_EQ(std::count_if(parts.outputs.begin(), parts.outputs.end(),
                            [&](TensorId id) { return parts.tensor(id).name == name; }),
              1);
  }
}

}  // namespace
}  // namespace npusim::workloads
