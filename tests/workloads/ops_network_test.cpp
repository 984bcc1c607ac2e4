// SPDX-License-Identifier: Apache-2.0
// The shipped networks: published sizes and shapes, values in range, gradients.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/config_file.h"
#include "ops_support.h"
#include "tests/source_dir.h"
#include "workloads/training/transform.h"

namespace npusim::workloads {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Gt;

Workload shipped(const std::string& name, const std::vector<std::string>& set = {}) {
  std::vector<base::Override> overrides;
  for (const std::string& text : set) overrides.push_back(base::parse_override(text).override);
  return load_workload(test::source_dir() + "/workloads/" + name + ".json", overrides);
}

std::vector<Tensor> initial(const Graph& graph) {
  std::vector<Tensor> values(graph.tensors.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const TensorInfo& info = graph.tensors[i];
    if (info.initializer)
      values[i] = make_values(*info.initializer, info.shape, info.type, info.name, 7);
  }
  return values;
}

const Node& node_of(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes)
    if (node.name == name) return node;
  throw base::InputError("no node " + name);
}

const Shape& output_of(const Graph& graph, const std::string& name) {
  return graph.tensor(node_of(graph, name).outputs[0]).shape;
}

std::int64_t macs_of(const Graph& graph, const std::string& name) {
  const Node& node = node_of(graph, name);
  return ops().at(node.op).contraction(NodeView(graph, node))->macs();
}

// torchvision, ResNet50_Weights: num_params 25557032, 4.09 GMACs.
TEST(ResNet50, HasThePublishedSize) {
  const Workload workload = shipped("resnet50");
  EXPECT_EQ(workload.graph.parameter_count(), 25557032);
  EXPECT_EQ(workload.graph.mac_count(), 4089184256);
  EXPECT_EQ(shipped("resnet50", {"workload.parameters.batch=8"}).graph.mac_count(), 8 * 4089184256);
}

struct Layer {
  const char* name;
  Shape weight, output;
  std::int64_t macs;
};

// He et al. 2015, table 1, with stride 2 in the 3x3 convolutions (v1.5).
TEST(ResNet50, LayersHaveThePublishedShapes) {
  const Graph graph = shipped("resnet50").graph;
  const std::vector<Layer> layers = {
      {"conv1", {64, 3, 7, 7}, {1, 64, 112, 112}, 118013952},
      {"layer1.0.conv1", {64, 64, 1, 1}, {1, 64, 56, 56}, 12845056},
      {"layer1.0.conv2", {64, 64, 3, 3}, {1, 64, 56, 56}, 115605504},
      {"layer1.0.conv3", {256, 64, 1, 1}, {1, 256, 56, 56}, 51380224},
      {"layer1.0.downsample.0", {256, 64, 1, 1}, {1, 256, 56, 56}, 51380224},
      {"layer1.2.conv1", {64, 256, 1, 1}, {1, 64, 56, 56}, 51380224},
      {"layer2.0.conv1", {128, 256, 1, 1}, {1, 128, 56, 56}, 102760448},
      {"layer2.0.conv2", {128, 128, 3, 3}, {1, 128, 28, 28}, 115605504},
      {"layer2.0.downsample.0", {512, 256, 1, 1}, {1, 512, 28, 28}, 102760448},
      {"layer2.3.conv3", {512, 128, 1, 1}, {1, 512, 28, 28}, 51380224},
      {"layer3.0.conv2", {256, 256, 3, 3}, {1, 256, 14, 14}, 115605504},
      {"layer3.0.downsample.0", {1024, 512, 1, 1}, {1, 1024, 14, 14}, 102760448},
      {"layer3.5.conv1", {256, 1024, 1, 1}, {1, 256, 14, 14}, 51380224},
      {"layer4.0.conv2", {512, 512, 3, 3}, {1, 512, 7, 7}, 115605504},
      {"layer4.0.downsample.0", {2048, 1024, 1, 1}, {1, 2048, 7, 7}, 102760448},
      {"layer4.2.conv2", {512, 512, 3, 3}, {1, 512, 7, 7}, 115605504},
      {"fc", {1000, 2048}, {1, 1000}, 2048000},
  };
  for (const Layer& layer : layers) {
    const Node& node = node_of(graph, layer.name);
    EXPECT_EQ(graph.tensor(node.inputs[1]).name, std::string(layer.name) + ".weight");
    EXPECT_EQ(graph.tensor(node.inputs[1]).shape, layer.weight) << layer.name;
    EXPECT_EQ(output_of(graph, layer.name), layer.output) << layer.name;
    EXPECT_EQ(macs_of(graph, layer.name), layer.macs) << layer.name;
  }
  EXPECT_EQ(output_of(graph, "maxpool"), (Shape{1, 64, 56, 56}));
  EXPECT_EQ(output_of(graph, "avgpool"), (Shape{1, 2048, 1, 1}));
}

TEST(ResNet50, HasThePublishedNodes) {
  const Graph graph = shipped("resnet50").graph;
  std::map<std::string, int> count;
  for (const Node& node : graph.nodes) ++count[node.op];
  EXPECT_EQ(count, (std::map<std::string, int>{{"Add", 16},
                                               {"BatchNormalization", 53},
                                               {"Conv", 53},
                                               {"Flatten", 1},
                                               {"Gemm", 1},
                                               {"GlobalAveragePool", 1},
                                               {"MaxPool", 1},
                                               {"Relu", 49}}));
}

// 784*512 + 512*256 + 256*10 weights and 778 biases.
TEST(Mlp, HasItsSize) {
  const Workload workload = shipped("mlp");
  EXPECT_EQ(workload.graph.parameter_count(), 535040 + 778);
  EXPECT_EQ(workload.batch, 64);
  EXPECT_EQ(workload.graph.mac_count(), 64 * 535040);
  ASSERT_TRUE(workload.training);
  // Two products backward for each forward one, but no data gradient of the first layer.
  EXPECT_EQ(make_training_step(workload, true).mac_count(), 64 * (3 * 535040 - 784 * 512));
}

TEST(SmallCnn, HasItsSize) {
  const Workload workload = shipped("small_cnn", {"workload.parameters.batch=1"});
  EXPECT_EQ(workload.graph.parameter_count(), 16 * 9 + 16 + 32 * 16 * 9 + 32 + 10 * 1568 + 10);
  EXPECT_EQ(workload.graph.mac_count(), 28 * 28 * 16 * 9 + 14 * 14 * 32 * 144 + 15680);
}

double loss_of(const Graph& graph, const std::vector<Tensor>& values) {
  return testing::evaluate(graph, values, {})[static_cast<std::size_t>(graph.outputs[0])].values[0];
}

/// Some elements of each weight's gradient against central differences of the loss.
void expect_trainable(const std::string& name, std::size_t weights) {
  const Graph graph = make_training_step(shipped(name, {"workload.parameters.batch=2"}), false);
  const std::vector<Tensor> start = initial(graph);
  const std::vector<Tensor> values = testing::evaluate(graph, start, {});
  std::size_t updates = 0;
  for (const Node& node : graph.nodes) {
    if (node.phase != Phase::update) continue;
    ++updates;
    const auto weight = static_cast<std::size_t>(node.inputs[0]);
    const Tensor& gradient = values[static_cast<std::size_t>(node.inputs[1])];
    double scale = 0.0;
    for (const double g : gradient.values) scale = std::max(scale, std::fabs(g));
    EXPECT_GT(scale, 0.0) << node.name;
    for (std::size_t i = 0; i < gradient.values.size(); i += gradient.values.size() / 4 + 1) {
      constexpr double kStep = 1e-6;
      std::vector<Tensor> up = start;
      std::vector<Tensor> down = start;
      up[weight].values[i] += kStep;
      down[weight].values[i] -= kStep;
      const double difference = (loss_of(graph, up) - loss_of(graph, down)) / (2 * kStep);
      EXPECT_NEAR(gradient.values[i], difference, 1e-6 * scale) << node.name << " " << i;
    }
  }
  EXPECT_EQ(updates, weights);
}

TEST(Mlp, GradientsAreRight) {
  expect_trainable("mlp", 6);
}

TEST(SmallCnn, GradientsAreRight) {
  expect_trainable("small_cnn", 6);
}

/// The loss before each of a few steps on one batch.
std::vector<double> losses_of(const std::string& name, const std::vector<std::string>& set = {}) {
  const Graph graph = make_training_step(shipped(name, set), false);
  std::vector<Tensor> values = initial(graph);
  std::vector<double> losses;
  for (int step = 0; step < 6; ++step) {
    const std::vector<Tensor> after = testing::evaluate(graph, values, {});
    losses.push_back(after[static_cast<std::size_t>(graph.outputs[0])].values[0]);
    for (const Node& node : graph.nodes)
      if (node.phase == Phase::update)
        values[static_cast<std::size_t>(node.inputs[0])] =
            after[static_cast<std::size_t>(node.outputs[0])];
  }
  return losses;
}

TEST(Training, EachStepLowersTheLossOfTheShippedNetworks) {
  for (const char* name : {"mlp", "small_cnn"}) {
    const std::vector<double> losses = losses_of(name);
    for (std::size_t i = 1; i < losses.size(); ++i)
      EXPECT_LT(losses[i], losses[i - 1]) << name << " step " << i;
  }
}

}  // namespace
}  // namespace npusim::workloads
