// SPDX-License-Identifier: Apache-2.0
// Attention by online softmax on the tile model, against engines stepped command by command here,
// against closed forms where one engine decides, and against the same op in parts.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <optional>
#include <vector>

#include "npu_models/attention_mapping.h"
#include "npu_models/attention_steps.h"
#include "random.h"
#include "support.h"
#include "timing_support.h"
#include "tokens.h"

namespace npusim::npu {
namespace {

using testing::HandGraph;
using testing::Random;

struct Case {
  workloads::AttentionShape shape;
  std::int64_t queries = 4, keys = 4;
  ArraySplit split{};
  AttentionMask mask{};
};

AttentionMapping mapping_of(const NpuSpec& npu, const Case& c) {
  AttentionMapping attention;
  attention.blocks.shape = c.shape;
  workloads::Contraction scores;
  scores.groups = c.shape.groups();
  scores.m = c.shape.group_rows();
  scores.n = c.shape.columns;
  scores.dims = {{"K", c.shape.depth}};
  workloads::Contraction context = scores;
  context.n = c.shape.value_depth;
  attention.scores = untiled_gemm(npu, scores, precision::fp16(), precision::fp32());
  attention.context = untiled_gemm(npu, context, precision::fp16(), precision::fp32());
  attention.mask = c.mask;
  cut_in_blocks(npu, c.queries, c.keys, c.split, attention);
  return attention;
}

MappedGraph graph_of(const NpuSpec& npu, const Case& c) {
  HandGraph graph;
  const workloads::AttentionShape& s = c.shape;
  std::vector<workloads::TensorId> inputs = {
      graph.tensor({s.batch, s.heads, s.rows, s.depth}),
      graph.tensor({s.batch, s.kv_heads, s.columns, s.depth}),
      graph.tensor({s.batch, s.kv_heads, s.columns, s.value_depth})};
  if (c.mask.element_bytes > 0) inputs.push_back(graph.tensor({s.rows, s.columns}));
  const auto y = graph.tensor({s.batch, s.heads, s.rows, s.value_depth});
  graph.vector(inputs, y, {});
  MappedOp& op = graph.mapped.ops.front();
  op.engine = Engine::matrix;
  op.attention = mapping_of(npu, c);
  op.macs = op.attention->blocks.macs();
  for (const auto& [function, elements] : attention_totals(npu, *op.attention).work)
    op.vector_work.push_back({function, elements});
  return graph.mapped;
}

NpuSpec small_npu(std::int64_t buffers = 2) {
  NpuSpec npu = testing::tiny_npu();
  npu.vector_unit.cycles_per_element["div"] = 4.0;
  npu.vector_unit.cycles_per_element["compare"] = 1.0;
  npu.scratchpad.buffers = buffers;
  return npu;
}

/// The engines one command after the other, with a memory that takes no time.
std::int64_t stepped(const NpuSpec& npu, const AttentionMapping& attention) {
  const std::int64_t buffers = npu.scratchpad.buffers;
  testing::Tokens queries(buffers), keys(buffers), values(buffers), weights(buffers),
      outputs(buffers);
  testing::Tokens sums(npu.mac_array.accumulator.memory_bytes);
  std::int64_t load = 0, array = 0, vector = 0, store = 0;
  const auto cost = [&](const std::vector<workloads::VectorWork>& work) {
    double lane_cycles = 0.0;
    for (const workloads::VectorWork& part : work)
      lane_cycles +=
          static_cast<double>(part.elements) * npu.vector_unit.cycles_per_element.at(part.function);
    return npu.vector_unit.startup_cycles +
           static_cast<std::int64_t>(
               std::ceil(lane_cycles / static_cast<double>(npu.vector_unit.lanes)));
  };
  const auto bytes_of = [](const GemmMapping& gemm, const TileExtents& tile) {
    return (tile.m + gemm.split.m - 1) / gemm.split.m * tile.n * 4;
  };
  struct Waiting {
    AttentionStep step;
    std::int64_t softened;
  };
  const bool has_mask = attention.mask.element_bytes > 0;
  const auto first_half = [&](const AttentionStep& step) {
    if (step.first()) load = queries.take(1, load);
    if (step.load_keys) load = keys.take(1, load);
    const TileExtents tile = scores_tile(attention, step.block);
    const std::int64_t held = bytes_of(attention.scores, tile);
    array = sums.take(held, std::max(array, load)) + product_cycles(npu, attention.scores, tile);
    if (step.block.last) queries.give(1, array);
    if (step.last_of_keys && !has_mask) keys.give(1, array);
    vector = weights.take(1, std::max(vector, array)) + cost(softening_work(attention, step.block));
    if (step.last_of_keys && has_mask) keys.give(1, vector);
    sums.give(held, vector);
    return Waiting{step, vector};
  };
  const auto second_half = [&](const Waiting& waiting) {
    const AttentionStep& step = waiting.step;
    if (step.load_keys) load = values.take(1, load);
    const TileExtents tile = context_tile(attention, step.block);
    const std::int64_t held = bytes_of(attention.context, tile);
    array = sums.take(held, std::max({array, load, waiting.softened})) +
            product_cycles(npu, attention.context, tile);
    weights.give(1, array);
    if (step.last_of_keys) values.give(1, array);
    vector = std::max(vector, array);
    if (step.first()) vector = outputs.take(1, vector);
    vector += cost(update_work(attention, step.block));
    sums.give(held, vector);
    if (!step.block.last) return;
    store = std::max(store, vector);
    outputs.give(1, store);
  };
  std::optional<Waiting> before;
  AttentionSteps steps(attention);
  for (AttentionStep step; steps.next(step);) {
    const Waiting now = first_half(step);
    if (before) second_half(*before);
    before.reset();
    if (buffers > 1)
      before = now;
    else
      second_half(now);
  }
  if (before) second_half(*before);
  return std::max({array, vector, store});
}

TEST(FusedAttentionTiming, IsThatOfSteppedEngines) {
  Random random(5);
  std::vector<Case> cases;
  std::vector<NpuSpec> npus;
  std::vector<std::int64_t> expected;
  int array_waits = 0;
  for (int i = 0; i < 60; ++i) {
    SCOPED_TRACE(i);
    NpuSpec npu = small_npu(random.in(1, 3));
    npu.dram.bandwidth_bytes_per_cycle = 1e15;
    npu.mac_array.arrays = random.in(1, 3);
    npu.vector_unit.lanes = random.of({1, 4, 64});
    npu.vector_unit.startup_cycles = random.in(0, 5);
    Case c;
    workloads::AttentionShape& s = c.shape;
    s.batch = random.in(1, 2);
    s.kv_heads = random.in(1, 2);
    s.heads = s.kv_heads * random.in(1, 2);
    s.rows = random.in(1, 20);
    s.columns = random.in(1, 30);
    s.depth = random.in(1, 10);
    s.value_depth = random.in(1, 10);
    s.causal = random.flip();
    c.queries = random.in(1, s.group_rows());
    c.keys = random.in(1, s.columns);
    c.split.groups = random.in(1, std::min(s.groups(), npu.mac_array.arrays));
    c.split.m = random.in(1, std::min(c.queries, npu.mac_array.arrays / c.split.groups));
    if (random.flip()) c.mask = {2, false, false, false, true, true};
    const AttentionMapping attention = mapping_of(npu, c);
    // As little accumulator memory as the mapping allows, so that it is waited for.
    if (random.flip())
      npu.mac_array.accumulator.memory_bytes =
          2 * ((c.queries + c.split.m - 1) / c.split.m * (c.keys + s.value_depth) * 4);
    const TimingResult result = testing::run(npu, graph_of(npu, c));
    EXPECT_EQ(result.cycles, stepped(npu, attention));
    const AttentionTotals totals = attention_totals(npu, attention);
    EXPECT_EQ(result.ops.front().tiles, 2 * totals.steps);
    EXPECT_EQ(result.vector_busy_cycles, totals.vector_cycles);
    EXPECT_EQ(result.dram_bytes, totals.total_bytes());
    array_waits += result.stall_cycles.at("vector") > 0 ? 1 : 0;
    testing::expect_every_cycle_has_a_cause(result);
  }
  EXPECT_GT(array_waits, 10);
}

TEST(FusedAttentionTiming, ArrayBoundItIsTheArrayAndTheLastUpdate) {
  NpuSpec npu = small_npu();
  npu.vector_unit.lanes = 1 << 14;
  npu.dram.bandwidth_bytes_per_cycle = 1e15;
  Case c;
  c.shape.rows = c.shape.columns = 64;
  c.shape.depth = c.shape.value_depth = 16;
  c.queries = c.keys = 16;
  const AttentionTotals totals = attention_totals(npu, mapping_of(npu, c));
  EXPECT_EQ(totals.steps, 16);
  // Every piece of vector work takes one cycle, hidden but for the last update.
  EXPECT_EQ(testing::run(npu, graph_of(npu, c)).cycles, totals.array_cycles + 1);
}

TEST(FusedAttentionTiming, VectorBoundItIsTheVectorUnitAndTheFirstScores) {
  NpuSpec npu = small_npu();
  npu.vector_unit.lanes = 1;
  npu.dram.bandwidth_bytes_per_cycle = 1e15;
  Case c;
  c.shape.rows = c.shape.columns = 64;
  c.shape.depth = c.shape.value_depth = 16;
  c.queries = c.keys = 16;
  const AttentionMapping attention = mapping_of(npu, c);
  const AttentionTotals totals = attention_totals(npu, attention);
  const AttentionBlock block{1, 16, 16, false, true};
  EXPECT_EQ(
      testing::run(npu, graph_of(npu, c)).cycles,
      totals.vector_cycles + product_cycles(npu, attention.scores, scores_tile(attention, block)));
}

TEST(FusedAttentionTiming, MemoryBoundItIsItsTraffic) {
  NpuSpec npu = small_npu();
  npu.dram.bandwidth_bytes_per_cycle = 0.25;
  npu.vector_unit.lanes = 1 << 10;
  Case c;
  c.shape.rows = c.shape.columns = 64;
  c.shape.depth = c.shape.value_depth = 16;
  c.queries = c.keys = 16;
  const AttentionMapping attention = mapping_of(npu, c);
  const AttentionTotals totals = attention_totals(npu, attention);
  const TimingResult result = testing::run(npu, graph_of(npu, c));
  const std::int64_t moving = totals.total_bytes() * 4;
  const AttentionBlock block{1, 16, 16, false, true};
  EXPECT_GE(result.cycles, moving);
  // Behind the last values: their product, the update.
  EXPECT_LE(result.cycles,
            moving + product_cycles(npu, attention.context, context_tile(attention, block)) + 2);
  EXPECT_EQ(result.bound, "memory");
}

TEST(FusedAttentionTiming, SavesTheScoresTraffic) {
  const NpuSpec parts = testing::load_shipped("systolic128_bf16");
  const NpuSpec fused =
      testing::load_shipped("systolic128_bf16", {"mapping={\"fused_attention\": true}"});
  workloads::Graph graph;
  const auto input = [&](const char* name) {
    workloads::TensorInfo info;
    info.name = name;
    info.shape = {1, 4, 512, 64};
    info.role = workloads::TensorRole::input;
    return graph.add_tensor(info);
  };
  graph.inputs = {input("q"), input("k"), input("v")};
  graph.outputs = graph.add_node("Attention", "attn", graph.inputs, {}, {"y"});
  const workloads::Recipe recipe = testing::uniform_recipe(precision::bf16());
  const MappedGraph one = map_graph(fused, graph, recipe);
  const TimingResult whole = testing::run(parts, map_graph(parts, graph, recipe));
  const TimingResult together = testing::run(fused, one);
  const std::int64_t tensor = 4 * 512 * 64 * 2, scores = 4 * 512 * 512 * 2;
  EXPECT_EQ(together.dram_bytes, attention_totals(fused, *one.ops.front().attention).total_bytes());
  EXPECT_GE(together.dram_bytes, 4 * tensor);
  EXPECT_LE(together.dram_bytes, 10 * tensor);
  EXPECT_GE(whole.dram_bytes, 4 * tensor + 4 * scores);
  EXPECT_LT(together.cycles, whole.cycles);
  EXPECT_EQ(together.macs, whole.macs);
}

TEST(FusedAttentionTiming, ProgressCountsTheTilesOfEveryStep) {
  const NpuSpec npu = small_npu();
  Case c;
  c.shape.batch = c.shape.heads = 2;
  c.shape.rows = c.shape.columns = 12;
  c.shape.depth = c.shape.value_depth = 8;
  c.shape.causal = true;
  const MappedGraph mapped = graph_of(npu, c);
  const std::int64_t steps = attention_totals(npu, *mapped.ops.front().attention).steps;
  EXPECT_EQ(planned_steps(mapped), 1 + 2 * steps);
  std::atomic<std::int64_t> done{0};
  SimulationOptions options;
  options.steps_done = &done;
  simulate(npu, mapped, options);
  EXPECT_EQ(done, planned_steps(mapped));
}

TEST(FusedAttentionTiming, ClockedElementsAreRefused) {
  const NpuSpec npu = small_npu();
  EXPECT_NE(pe_refusal(npu, graph_of(npu, Case{})), "");
}

}  // namespace
}  // namespace npusim::npu
