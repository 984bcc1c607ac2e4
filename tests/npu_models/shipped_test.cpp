// SPDX-License-Identifier: Apache-2.0
// The shipped NPUs against the shipped workloads in each NPU's default recipe.
#include <gtest/gtest.h>

#include <map>

#include "npu_models/mapping.h"
#include "support.h"
#include "tests/source_dir.h"
#include "workloads/training/transform.h"
#include "workloads/workload.h"

namespace npusim::npu {
namespace {

const std::string kRoot = test::source_dir() + "/";

workloads::Recipe default_recipe(const NpuSpec& npu) {
  return workloads::load_recipe(kRoot + "configs/recipes/" + npu.default_recipe + ".json");
}

workloads::Graph shipped_graph(const std::string& name, bool training,
                               const workloads::Recipe& recipe) {
  const workloads::Workload workload =
      workloads::load_workload(kRoot + "workloads/" + name + ".json");
  return training ? workloads::make_training_step(workload, recipe.master_weights.has_value())
                  : workload.graph;
}

/// Nodes by level.
std::map<Support, int> levels(const std::string& npu_name, const std::string& workload,
                              bool training) {
  const NpuSpec npu = testing::load_shipped(npu_name);
  const workloads::Recipe recipe = default_recipe(npu);
  std::map<Support, int> counts;
  for (const CoverageRow& row : coverage_of(npu, shipped_graph(workload, training, recipe), recipe))
    ++counts[row.verdict.support];
  return counts;
}

MappedGraph mapped(const NpuSpec& npu, const std::string& workload, bool training) {
  const workloads::Recipe recipe = default_recipe(npu);
  return map_graph(npu, shipped_graph(workload, training, recipe), recipe);
}

TEST(ShippedNpus, RunResNet50Natively) {
  for (const char* npu : {"systolic128_bf16", "cube16_fp16", "nvdla_fp16"}) {
    const std::map<Support, int> counts = levels(npu, "resnet50", false);
    EXPECT_EQ(counts.size(), 1U) << npu;
    EXPECT_EQ(counts.begin()->first, Support::native) << npu;
  }
}

TEST(ShippedNpus, TrainingIsNativeOrDecomposedExceptOnTheInferenceDesign) {
  for (const char* workload : {"mlp", "small_cnn"}) {
    for (const char* npu : {"systolic128_bf16", "cube16_fp16"}) {
      std::map<Support, int> counts = levels(npu, workload, true);
      EXPECT_EQ(counts[Support::decomposed], 1) << npu;
      EXPECT_EQ(counts[Support::host] + counts[Support::unknown] + counts[Support::unsupported], 0)
          << npu;
    }
    std::map<Support, int> nvdla = levels("nvdla_fp16", workload, true);
    EXPECT_GT(nvdla[Support::native], 0);
    EXPECT_GT(nvdla[Support::host], 0);
    EXPECT_EQ(nvdla[Support::unknown] + nvdla[Support::unsupported], 0);
  }
}

TEST(ShippedNpus, MapResNet50WithItsPublishedMacs) {
  for (const char* name : {"systolic128_bf16", "cube16_fp16", "nvdla_fp16"}) {
    const MappedGraph graph = mapped(testing::load_shipped(name), "resnet50", false);
    std::int64_t macs = 0;
    int fused = 0;
    for (const MappedOp& op : graph.ops) {
      macs += op.macs;
      fused += static_cast<int>(op.epilogue.size());
    }
    EXPECT_EQ(macs, 4089184256) << name;
    // 53 normalisations, 49 activations and 16 sums follow a convolution.
    EXPECT_EQ(fused, 53 + 49 + 16) << name;
  }
}

TEST(ShippedNpus, MappingsDifferBetweenDesignsAndAccumulators) {
  const auto hash = [](const char* name, std::vector<std::string> settings) {
    return mapped(testing::load_shipped(name, settings), "mlp", true).hash();
  };
  const std::string wide = hash("systolic128_bf16", {});
  EXPECT_EQ(wide, hash("systolic128_bf16", {}));
  EXPECT_NE(wide, hash("systolic128_bf16", {"mac_array.rows=32"}));
  EXPECT_NE(wide, hash("systolic128_bf16", {"mac_array.accumulator.format=fp16"}));
  EXPECT_NE(hash("cube16_fp16", {}), hash("nvdla_fp16", {}));
}

}  // namespace
}  // namespace npusim::npu
