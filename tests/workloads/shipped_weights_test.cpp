// SPDX-License-Identifier: Apache-2.0
// Synthetic weights of the shipped networks do not hide what an accumulator loses (errors of sums
// that cancel cancel too): each network has what its kind needs, or stands below with a reason.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/source_dir.h"
#include "workloads/workload.h"

namespace npusim::workloads {
namespace {

using Reasons = std::map<std::string, std::string>;

/// Convolutions and products behind ReLU whose filters have no means.
const Reasons& without_means() {
  static const Reasons kReasons = {
      {"mlp", "trained from its initial values; with means the first steps raise the loss"},
      {"small_cnn", "as mlp"},
      {"small_detector", "as mlp"},
      {"small_unet", "as mlp"},
      {"lenet5", "as mlp: its Kaiming and Xavier values"},
      {"ptb_lstm", "no ReLU: states of tanh and sigmoid, initial values of Zaremba et al."},
      {"small_lstm", "as ptb_lstm"},
  };
  return kReasons;
}

/// Networks with attention and without outlier channels.
const Reasons& without_outliers() {
  static const Reasons kReasons = {
      {"small_gpt", "trained from its initial values; outlier_scale is 1"},
      {"sd15_vae_decoder", "convolutions with one attention, normalised by groups of channels"},
  };
  return kReasons;
}

std::vector<std::string> every_network() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(test::source_dir() + "/workloads"))
    if (file.path().extension() == ".json") names.push_back(file.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

class ShippedWeights : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    graph_ = load_workload(test::source_dir() + "/workloads/" + GetParam() + ".json").graph;
  }

  const TensorInfo& input(const Node& node, std::size_t i) const {
    return graph_.tensor(node.inputs[i]);
  }
  bool has(const std::string& op) const {
    return std::any_of(graph_.nodes.begin(), graph_.nodes.end(),
                       [&](const Node& node) { return node.op == op; });
  }
  static bool has_means(const Initializer& initializer) { return initializer.filter_mean > 0.0; }
  static bool has_outliers(const Initializer& initializer) {
    return initializer.outlier_channels > 0.0 && initializer.outlier_scale > 1.0;
  }

  Graph graph_;
};

TEST_P(ShippedWeights, StatisticsOfNormalisationsAreCalibrated) {
  for (const Node& node : graph_.nodes) {
    if (node.op != "BatchNormalization") continue;
    for (const std::size_t i : {std::size_t{3}, std::size_t{4}}) {
      const TensorInfo& statistics = input(node, i);
      ASSERT_TRUE(statistics.initializer) << statistics.name;
      EXPECT_TRUE(is_calibrated(statistics.initializer->kind)) << statistics.name;
    }
  }
}

TEST_P(ShippedWeights, FiltersHaveMeansOfTheirOwn) {
  const bool dense_with_relu = has("Relu") && !has("Attention");
  int with_means = 0;
  for (const Node& node : graph_.nodes) {
    if (node.op != "Conv" && node.op != "ConvTranspose" && node.op != "Gemm") continue;
    const TensorInfo& weight = input(node, 1);
    if (!weight.initializer) continue;
    with_means += has_means(*weight.initializer) ? 1 : 0;
    if (node.op != "Gemm" && without_means().count(GetParam()) == 0) {
      EXPECT_TRUE(has_means(*weight.initializer)) << weight.name;
    }
  }
  const bool excused = without_means().count(GetParam()) > 0;
  EXPECT_FALSE(excused && with_means > 0) << GetParam() << " needs no reason any more";
  EXPECT_FALSE(!excused && dense_with_relu && with_means == 0);
}

TEST_P(ShippedWeights, NormalisationsOfTransformersHaveOutlierChannels) {
  if (!has("Attention")) return;
  int with_outliers = 0;
  for (const Node& node : graph_.nodes) {
    if (node.op != "LayerNormalization" && node.op != "RMSNormalization") continue;
    const TensorInfo& gain = input(node, 1);
    ASSERT_TRUE(gain.initializer) << gain.name;
    with_outliers += has_outliers(*gain.initializer) ? 1 : 0;
    if (without_outliers().count(GetParam()) == 0) {
      EXPECT_TRUE(has_outliers(*gain.initializer)) << gain.name;
    }
  }
  EXPECT_EQ(with_outliers == 0, without_outliers().count(GetParam()) > 0);
}

// 6 of 4096 features in Dettmers et al. 2022, 2 of 768 in Kovaleva et al. 2021.
TEST(OutlierChannels, AreAsManyAsPublished) {
  const auto channels_of = [](const std::string& workload, const std::string& gain) {
    const Graph graph =
        load_workload(test::source_dir() + "/workloads/" + workload + ".json").graph;
    const TensorInfo& info = graph.tensor(graph.find(gain));
    const Tensor tensor = make_values(*info.initializer, info.shape, info.type, info.name, 0);
    return std::count_if(tensor.values.begin(), tensor.values.end(),
                         [](double value) { return value > 10.0; });
  };
  EXPECT_EQ(channels_of("llama2_7b_prefill", "model.layers.0.input_layernorm.weight"), 6);
  EXPECT_EQ(channels_of("bert_base", "bert.encoder.layer.0.output.LayerNorm.weight"), 2);
}

INSTANTIATE_TEST_SUITE_P(Shipped, ShippedWeights, ::testing::ValuesIn(every_network()),
                         [](const auto& of) { return of.param; });

}  // namespace
}  // namespace npusim::workloads
