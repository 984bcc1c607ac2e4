// SPDX-License-Identifier: Apache-2.0
// Two small layers, counted by hand.
#include "npu_models/memory_footprint.h"

#include <gtest/gtest.h>

#include "graphs.h"
#include "support.h"

namespace npusim::npu {
namespace {

using testing::GraphBuilder;
using testing::load_shipped;
using testing::uniform_recipe;

constexpr std::int64_t kBf16 = 2;

/// x[4,8] - fc1 [4,16] - relu - fc2 [4,3]
workloads::Graph mlp() {
  GraphBuilder b;
  const auto hidden = b.gemm("fc1", b.input("x", {4, 8}), 16);
  return b.finish({b.gemm("fc2", b.node("Relu", "relu", {hidden}), 3)});
}

MemoryFootprint footprint(const workloads::Graph& graph, bool fuses) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  npu.vector_unit.fuses_epilogue = fuses;
  return footprint_of(map_graph(npu, graph, uniform_recipe(precision::bf16())));
}

TEST(MemoryFootprint, ActivationsLiveFromWriterToLastReader) {
  const MemoryFootprint memory = footprint(mlp(), false);
  EXPECT_EQ(memory.weight_bytes, (16 * 8 + 16 + 3 * 16 + 3) * kBf16);
  // relu holds its input and output (64 each); the graph input has gone, the logits are not there
  // yet.
  EXPECT_EQ(memory.activation_bytes, (64 + 64) * kBf16);
  EXPECT_EQ(memory.gradient_bytes, 0);
  EXPECT_EQ(memory.optimizer_bytes, 0);
  EXPECT_EQ(memory.peak_bytes, memory.weight_bytes + memory.activation_bytes);
  EXPECT_EQ(memory.peak_op, "relu");
}

TEST(MemoryFootprint, FusedTensorsTakeNoMemory) {
  const MemoryFootprint memory = footprint(mlp(), true);
  EXPECT_EQ(memory.activation_bytes, (32 + 64) * kBf16);
  EXPECT_EQ(memory.peak_op, "fc1");
}

// The sums of one block of output channels wait in DRAM for the next tile of K.
TEST(MemoryFootprint, SpilledPartialSumsAreNeededWhileTheirOpRuns) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  MappedGraph mapped = map_graph(npu, mlp(), uniform_recipe(precision::bf16()));
  const MemoryFootprint kept = footprint_of(mapped);
  ASSERT_EQ(kept.peak_op, "fc1");
  ASSERT_TRUE(mapped.ops.front().gemm);
  mapped.ops.front().gemm->spills = true;
  mapped.ops.front().gemm->tile_n = 5;
  const MemoryFootprint spilled = footprint_of(mapped);
  EXPECT_EQ(spilled.peak_bytes, kept.peak_bytes + 4 * 5 * 4);  // positions, channels, fp32
  EXPECT_EQ(spilled.activation_bytes, kept.activation_bytes);
}

TEST(MemoryFootprint, ViewsShareTheirInputsMemory) {
  GraphBuilder b;
  const auto x = b.input("x", {4, 2, 2, 2});
  const auto flat = b.node("Flatten", "flat", {x});
  const MemoryFootprint memory = footprint(b.finish({b.gemm("fc", flat, 3)}), false);
  EXPECT_EQ(memory.activation_bytes, (32 + 12) * kBf16);
}

TEST(MemoryFootprint, UpdatesHappenInPlaceAndGradientsAreCounted) {
  using workloads::Phase;
  using workloads::TensorRole;
  GraphBuilder b;
  const auto w = b.input("w", {10, 10}, TensorRole::weight);
  const auto x = b.input("x", {10, 10});
  const auto g =
      b.node("Identity", "gradient", {x}, {}, TensorRole::weight_gradient, Phase::backward);
  const auto next =
      b.node("Sgd", "update", {w, g}, {{"learning_rate", 0.1}}, TensorRole::weight, Phase::update);
  const MemoryFootprint memory = footprint(b.finish({next}), false);
  EXPECT_EQ(memory.weight_bytes, 100 * kBf16);
  EXPECT_EQ(memory.gradient_bytes, 100 * kBf16);
  EXPECT_EQ(memory.activation_bytes, 100 * kBf16);
  EXPECT_EQ(memory.peak_bytes, 300 * kBf16);
  EXPECT_EQ(memory.peak_op, "gradient");
}

}  // namespace
}  // namespace npusim::npu
