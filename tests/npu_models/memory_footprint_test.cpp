// SPDX-License-Identifier: Apache-2.0
// Two small layers, counted by hand.
#include "npu_models/memory_footprint.h"

#include <gtest/gtest.h>

#include "graphs.h"
#include "npu_models/buffer_plan.h"
#include "npu_models/mapping.h"
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

/// A multiple of the alignment of buffers that holds so many bytes.
std::int64_t buffer(std::int64_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

TEST(MemoryFootprint, ActivationsLiveFromWriterToLastReader) {
  const MemoryFootprint memory = footprint(mlp(), false);
  EXPECT_EQ(memory.most[MemoryKind::weights], (16 * 8 + 16 + 3 * 16 + 3) * kBf16);
  // relu holds its input and output (64 each); the graph input has gone, the logits are not there
  // yet.
  EXPECT_EQ(memory.most[MemoryKind::activations], (64 + 64) * kBf16);
  EXPECT_EQ(memory.most_gradients, 0);
  EXPECT_EQ(memory.most[MemoryKind::optimizer_state], 0);
  EXPECT_EQ(memory.at_peak.total(), memory.most[MemoryKind::weights] + (64 + 64) * kBf16);
  EXPECT_EQ(memory.peak_bytes, memory.at_peak.total());
  EXPECT_EQ(memory.peak_op, "relu");
}

TEST(MemoryFootprint, FusedTensorsTakeNoMemory) {
  const MemoryFootprint memory = footprint(mlp(), true);
  EXPECT_EQ(memory.most[MemoryKind::activations], (32 + 64) * kBf16);
  EXPECT_EQ(memory.peak_op, "fc1");
}

TEST(MemoryFootprint, OverTimeEveryOpHasWhatItReadsAndWrites) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  npu.vector_unit.fuses_epilogue = false;
  const std::vector<MemoryMoment> moments =
      memory_over_time(map_graph(npu, mlp(), uniform_recipe(precision::bf16())));
  ASSERT_EQ(moments.size(), 3u);
  const char* ops[] = {"fc1", "relu", "fc2"};
  const std::int64_t elements[] = {32 + 64, 64 + 64, 64 + 12};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(moments[i].op, ops[i]);
    EXPECT_EQ(moments[i].bytes[MemoryKind::activations], elements[i] * kBf16);
    EXPECT_EQ(moments[i].bytes[MemoryKind::weights], (16 * 8 + 16 + 3 * 16 + 3) * kBf16);
  }
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
  const std::int64_t sums = 4 * 5 * 4;  // positions, channels, fp32
  EXPECT_EQ(spilled.at_peak.total(), kept.at_peak.total() + sums);
  EXPECT_EQ(spilled.most[MemoryKind::workspace], sums);
  EXPECT_EQ(spilled.peak_bytes, kept.peak_bytes + buffer(sums));
  EXPECT_EQ(spilled.most[MemoryKind::activations], kept.most[MemoryKind::activations]);
}

TEST(MemoryFootprint, ViewsShareTheirInputsMemory) {
  GraphBuilder b;
  const auto x = b.input("x", {4, 2, 2, 2});
  const auto flat = b.node("Flatten", "flat", {x});
  const MemoryFootprint memory = footprint(b.finish({b.gemm("fc", flat, 3)}), false);
  EXPECT_EQ(memory.most[MemoryKind::activations], (32 + 12) * kBf16);
}

TEST(MemoryFootprint, UpdatesHappenInPlaceAndGradientsAreCounted) {
  using workloads::Phase;
  using workloads::TensorRole;
  GraphBuilder b;
  const auto w = b.input("w", {10, 10}, TensorRole::weight);
  const auto x = b.input("x", {10, 10});
  const auto g =
      b.node("Identity", "gradient", {x}, {}, TensorRole::weight_gradient, Phase::backward);
  const auto unscaled =
      b.node("Identity", "unscale", {g}, {}, TensorRole::weight_gradient, Phase::update);
  const auto next = b.node("Sgd", "update", {w, unscaled}, {{"learning_rate", 0.1}},
                           TensorRole::weight, Phase::update);
  const MemoryFootprint memory = footprint(b.finish({next}), false);
  const std::int64_t bytes = 100 * kBf16;
  EXPECT_EQ(memory.most[MemoryKind::weights], bytes);
  EXPECT_EQ(memory.most[MemoryKind::weight_gradients], bytes);
  EXPECT_EQ(memory.most[MemoryKind::unscaled_gradients], bytes);
  EXPECT_EQ(memory.most[MemoryKind::activations], bytes);
  EXPECT_EQ(memory.most_gradients, 2 * bytes);
  EXPECT_EQ(memory.at_peak.total(), 3 * bytes);
  EXPECT_EQ(memory.peak_op, "gradient");
}

TEST(MemoryFootprint, CachesStayFromRunToRun) {
  GraphBuilder b;
  const auto first = b.gemm("fc1", b.input("x", {4, 8}), 16);
  const auto cache = b.input("cache", {4, 16}, workloads::TensorRole::state);
  const auto sum = b.node("Add", "add", {first, cache});
  const MemoryFootprint memory = footprint(b.finish({b.gemm("fc2", sum, 3)}), false);
  EXPECT_EQ(memory.most[MemoryKind::state], 64 * kBf16);
  EXPECT_EQ(memory.at_peak[MemoryKind::state], 64 * kBf16);
}

}  // namespace
}  // namespace npusim::npu
