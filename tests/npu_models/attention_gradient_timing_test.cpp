// SPDX-License-Identifier: Apache-2.0
// The backward pass of attention on the tile model, against engines stepped command by command
// here, against closed forms where one engine decides, and against the same step in parts.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <optional>
#include <vector>

#include "npu_models/attention_gradient.h"
#include "npu_models/attention_gradient_steps.h"
#include "npu_models/attention_mapping.h"
#include "npu_models/training_graph.h"
#include "random.h"
#include "support.h"
#include "tests/source_dir.h"
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

AttentionGradientMapping mapping_of(const NpuSpec& npu, const Case& c) {
  AttentionGradientMapping gradient;
  gradient.blocks.shape = c.shape;
  workloads::Contraction contraction;
  contraction.groups = c.shape.groups();
  contraction.dims = {{"K", c.shape.depth}};
  for (GemmMapping* product :
       {&gradient.scores, &gradient.weights, &gradient.values, &gradient.keys, &gradient.queries})
    *product = untiled_gemm(npu, contraction, precision::fp16(), precision::fp32());
  gradient.mask = c.mask;
  cut_in_blocks(npu, c.queries, c.keys, c.split, gradient);
  return gradient;
}

MappedGraph graph_of(const NpuSpec& npu, const Case& c) {
  HandGraph graph;
  const workloads::AttentionShape& s = c.shape;
  const workloads::Shape q{s.batch, s.heads, s.rows, s.depth};
  const workloads::Shape y{s.batch, s.heads, s.rows, s.value_depth};
  const workloads::Shape k{s.batch, s.kv_heads, s.columns, s.depth};
  const workloads::Shape v{s.batch, s.kv_heads, s.columns, s.value_depth};
  const auto mask = graph.tensor({s.rows, s.columns});
  std::vector<workloads::TensorId> inputs = {
      graph.tensor(q),      graph.tensor(k),
      graph.tensor(v),      mask,
      workloads::kNoTensor, workloads::kNoTensor,
      graph.tensor(y),      graph.tensor({s.batch, s.heads, s.rows}),
      graph.tensor(y)};
  const auto dq = graph.tensor(q), dk = graph.tensor(k), dv = graph.tensor(v);
  graph.vector({inputs[0]}, dq, {});
  workloads::Node& node = graph.mapped.graph.nodes.front();
  node.inputs = inputs;
  node.outputs = {dq, dk, dv};
  MappedOp& op = graph.mapped.ops.front();
  op.engine = Engine::matrix;
  op.attention_gradient = mapping_of(npu, c);
  op.macs = gradient_macs(op.attention_gradient->blocks);
  for (const auto& [function, elements] : gradient_totals(npu, *op.attention_gradient).work)
    op.vector_work.push_back({function, elements});
  return graph.mapped;
}

NpuSpec small_npu(std::int64_t buffers = 2) {
  NpuSpec npu = testing::tiny_npu();
  npu.vector_unit.cycles_per_element["div"] = 4.0;
  npu.vector_unit.cycles_per_element["compare"] = 1.0;
  npu.vector_unit.cycles_per_element["log"] = 1.0;
  npu.scratchpad.buffers = buffers;
  return npu;
}

/// The engines one command after the other, with a memory that takes no time. Which block of
/// queries stays for the next step, leaves and comes back is worked out from the steps' places.
class Stepped {
 public:
  Stepped(const NpuSpec& npu, const AttentionGradientMapping& gradient)
      : npu_(npu),
        gradient_(gradient),
        queries_(npu.scratchpad.buffers),
        keys_(npu.scratchpad.buffers),
        soft_(npu.scratchpad.buffers),
        running_queries_(npu.scratchpad.buffers),
        running_keys_(npu.scratchpad.buffers),
        sums_(npu.mac_array.accumulator.memory_bytes) {}

  std::int64_t run() {
    find_places();
    std::optional<Half> before;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const Half now = first_half(i);
      if (before) second_half(*before);
      before.reset();
      if (npu_.scratchpad.buffers > 1)
        before = now;
      else
        second_half(now);
    }
    if (before) second_half(*before);
    return std::max({array_, vector_, store_});
  }

 private:
  struct Place {
    std::int64_t group0, groups, j, q;
  };
  struct Half {
    std::size_t i;
    std::int64_t loaded, softened;
  };

  void find_places() {
    const workloads::AttentionBlocks& b = gradient_.blocks;
    const std::int64_t together = gradient_.scores.split.groups;
    for (std::int64_t g = 0; g < b.shape.groups(); g += together)
      for (std::int64_t j = 0; j < b.key_blocks(); ++j)
        for (std::int64_t q = 0; q < b.query_blocks(); ++q)
          if (b.blocks_for(q) > j)
            places_.push_back({g, std::min(together, b.shape.groups() - g), j, q});
  }
  bool same_keys(std::size_t i, std::size_t k) const {
    return i < places_.size() && k < places_.size() && places_[i].group0 == places_[k].group0 &&
           places_[i].j == places_[k].j;
  }
  bool same_queries(std::size_t i, std::size_t k) const {
    return i < places_.size() && k < places_.size() && places_[i].group0 == places_[k].group0 &&
           places_[i].q == places_[k].q;
  }
  bool new_queries(std::size_t i) const { return i == 0 || !same_queries(i - 1, i); }
  bool new_keys(std::size_t i) const { return i == 0 || !same_keys(i - 1, i); }
  bool ends_queries(std::size_t i) const {
    return places_[i].j == gradient_.blocks.blocks_for(places_[i].q) - 1;
  }

  AttentionBlock block(std::size_t i) const {
    const Place& p = places_[i];
    AttentionBlock block;
    block.groups = p.groups;
    block.queries = gradient_.blocks.queries_in(p.q);
    block.keys = gradient_.blocks.keys_in(p.j);
    block.masked = p.j >= gradient_.blocks.open_blocks(p.q);
    return block;
  }

  std::int64_t cost(const std::vector<workloads::VectorWork>& work) const {
    double lane_cycles = 0.0;
    for (const workloads::VectorWork& part : work)
      lane_cycles += static_cast<double>(part.elements) *
                     npu_.vector_unit.cycles_per_element.at(part.function);
    return npu_.vector_unit.startup_cycles +
           static_cast<std::int64_t>(
               std::ceil(lane_cycles / static_cast<double>(npu_.vector_unit.lanes)));
  }

  /// On the array, from `earliest` on; returns the accumulator memory held.
  std::int64_t multiply(std::size_t i, std::size_t product, std::int64_t earliest) {
    const GradientProduct of = gradient_products(gradient_, block(i))[product];
    const std::int64_t parts = of.gemm->split.m;
    const std::int64_t held = (of.tile.m + parts - 1) / parts * of.tile.n * 4;
    array_ = sums_.take(held, std::max(array_, earliest)) + product_cycles(npu_, *of.gemm, of.tile);
    return held;
  }

  Half first_half(std::size_t i) {
    const Place& p = places_[i];
    if (new_queries(i)) {
      load_ = queries_.take(1, load_);
      if (p.j > 0) load_ = std::max(load_, left_.at({p.group0, p.q}));  // its dots
    }
    if (new_keys(i)) {
      load_ = keys_.take(1, load_);
      load_ = running_keys_.take(1, load_);
    }
    const std::int64_t loaded = load_;
    const std::int64_t held = multiply(i, 0, loaded) + 0;
    const std::int64_t also = multiply(i, 1, loaded);
    const AttentionBlock b = block(i);
    if (p.j == 0) vector_ = std::max(vector_, loaded) + cost(dots_work(gradient_, b));
    vector_ = soft_.take(1, std::max(vector_, array_)) + cost(recomputing_work(gradient_, b));
    sums_.give(held + also, vector_);
    return {i, loaded, vector_};
  }

  void add_up(std::size_t i, std::size_t product, std::int64_t held, std::int64_t earliest) {
    vector_ =
        std::max({vector_, array_, earliest}) + cost(adding_work(gradient_, block(i), product));
    sums_.give(held, vector_);
  }

  void second_half(const Half& half) {
    const std::size_t i = half.i;
    const Place& p = places_[i];
    const AttentionBlock b = block(i);
    const std::int64_t ready = std::max(half.loaded, half.softened);
    add_up(i, 2, multiply(i, 2, ready), 0);
    const std::int64_t values_added = vector_;
    const std::int64_t held = multiply(i, 3, ready);
    if (!same_queries(i, i + 1)) queries_.give(1, array_);
    add_up(i, 3, held, 0);
    std::int64_t running = half.loaded;
    if (new_queries(i)) {
      load_ =
          running_queries_.take(1, p.j == 0 ? load_ : std::max(load_, left_.at({p.group0, p.q})));
      running = load_;
    }
    const std::int64_t last = multiply(i, 4, ready);
    soft_.give(1, array_);
    if (!same_keys(i, i + 1)) keys_.give(1, array_);
    add_up(i, 4, last, running);
    if (ends_queries(i)) vector_ += cost(finishing_queries_work(gradient_, b));
    if (!same_queries(i, i + 1)) {
      store_ = std::max(store_, vector_);
      running_queries_.give(1, store_);
      left_[{p.group0, p.q}] = store_;
    } else if (p.j == 0 && turns_again(gradient_.blocks)[static_cast<std::size_t>(p.q)] > 0) {
      store_ = std::max(store_, vector_);  // dots of a block that leaves later
    }
    if (same_keys(i, i + 1)) return;
    vector_ += cost(finishing_keys_work(gradient_, b));
    store_ = std::max({store_, values_added, vector_});
    running_keys_.give(1, store_);
  }

  const NpuSpec& npu_;
  const AttentionGradientMapping& gradient_;
  std::vector<Place> places_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> left_;
  testing::Tokens queries_, keys_, soft_, running_queries_, running_keys_, sums_;
  std::int64_t load_ = 0, array_ = 0, vector_ = 0, store_ = 0;
};

TEST(AttentionGradientTiming, IsThatOfSteppedEngines) {
  Random random(5);
  int array_waits = 0, spilled = 0;
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
    s.causal = random.flip();
    s.rows = random.in(1, 20);
    s.columns = s.causal ? random.in(1, s.rows) : random.in(1, 30);
    s.depth = random.in(1, 10);
    s.value_depth = random.in(1, 10);
    s.softcap = random.flip() ? 2.0 : 0.0;
    c.queries = random.in(1, s.group_rows());
    c.keys = random.in(1, s.columns);
    c.split.groups = random.in(1, std::min(s.groups(), npu.mac_array.arrays));
    c.split.m = random.in(1, std::min({c.queries, c.keys, npu.mac_array.arrays / c.split.groups}));
    if (random.flip()) c.mask = {2, false, false, false, true, true};
    const AttentionGradientMapping gradient = mapping_of(npu, c);
    // As little accumulator memory as the mapping allows, so that it is waited for.
    if (random.flip()) {
      const std::int64_t queries = (c.queries + c.split.m - 1) / c.split.m;
      const std::int64_t keys = (c.keys + c.split.m - 1) / c.split.m;
      npu.mac_array.accumulator.memory_bytes =
          2 * 4 *
          (2 * queries * c.keys +
           std::max(keys * std::max(s.depth, s.value_depth), queries * s.depth));
    }
    const TimingResult result = testing::run(npu, graph_of(npu, c));
    EXPECT_EQ(result.cycles, Stepped(npu, gradient).run());
    const GradientTotals totals = gradient_totals(npu, gradient);
    EXPECT_EQ(result.ops.front().tiles, 5 * totals.steps);
    EXPECT_EQ(result.vector_busy_cycles, totals.vector_cycles);
    EXPECT_EQ(result.dram_bytes, totals.total_bytes());
    array_waits += result.stall_cycles.at("vector") > 0 ? 1 : 0;
    spilled += totals.spilled_bytes > 0 ? 1 : 0;
    testing::expect_every_cycle_has_a_cause(result);
  }
  EXPECT_GT(array_waits, 10);
  EXPECT_GT(spilled, 20);
}

/// 64 x 64 scores of depth 16 in blocks of 16.
Case four_by_four() {
  Case c;
  c.shape.rows = c.shape.columns = 64;
  c.shape.depth = c.shape.value_depth = 16;
  c.queries = c.keys = 16;
  return c;
}

TEST(AttentionGradientTiming, ArrayBoundItIsTheArrayAndTheLastAdditions) {
  NpuSpec npu = small_npu();
  npu.vector_unit.lanes = 1 << 14;
  npu.dram.bandwidth_bytes_per_cycle = 1e15;
  const GradientTotals totals = gradient_totals(npu, mapping_of(npu, four_by_four()));
  EXPECT_EQ(totals.steps, 16);
  // Every piece of vector work takes one cycle, hidden but for the last addition and both scalings.
  EXPECT_EQ(testing::run(npu, graph_of(npu, four_by_four())).cycles, totals.array_cycles + 3);
}

TEST(AttentionGradientTiming, VectorBoundItIsTheVectorUnitAndWhatTheFirstScoresTakeLonger) {
  NpuSpec npu = small_npu();
  npu.vector_unit.lanes = 1;
  npu.dram.bandwidth_bytes_per_cycle = 1e15;
  const AttentionGradientMapping gradient = mapping_of(npu, four_by_four());
  AttentionBlock block;
  block.queries = block.keys = 16;
  const auto products = gradient_products(gradient, block);
  const std::int64_t scores = product_cycles(npu, *products[0].gemm, products[0].tile) +
                              product_cycles(npu, *products[1].gemm, products[1].tile);
  const std::int64_t dots = 2 * 16 * 16;  // beside them; then the unit never waits
  EXPECT_GT(scores, dots);
  EXPECT_EQ(testing::run(npu, graph_of(npu, four_by_four())).cycles,
            gradient_totals(npu, gradient).vector_cycles + scores - dots);
}

TEST(AttentionGradientTiming, MemoryBoundItIsItsTraffic) {
  NpuSpec npu = small_npu();
  npu.dram.bandwidth_bytes_per_cycle = 0.25;
  npu.vector_unit.lanes = 1 << 10;
  const AttentionGradientMapping gradient = mapping_of(npu, four_by_four());
  const GradientTotals totals = gradient_totals(npu, gradient);
  const TimingResult result = testing::run(npu, graph_of(npu, four_by_four()));
  EXPECT_GE(result.cycles, totals.total_bytes() * 4);
  // The bus is shared by loads and stores; only what a step waits for is in the open.
  EXPECT_LE(result.cycles, totals.total_bytes() * 4 + totals.array_cycles);
  EXPECT_EQ(result.bound, "memory");
  // Each block of queries leaves three times: the closed form by hand, in bytes.
  const std::int64_t tensor = 64 * 16 * 2, rows = 64 * 4;
  const std::int64_t unfinished = 3 * (64 * 16 * 4);
  EXPECT_EQ(totals.read_bytes, 2 * tensor                     // keys, values
                                   + 4 * (2 * tensor + rows)  // queries, gradients, statistics
                                   + tensor                   // results
                                   + 3 * rows + unfinished);  // dots
  EXPECT_EQ(totals.write_bytes, 3 * tensor + rows + unfinished);
  EXPECT_EQ(totals.spilled_bytes, 2 * unfinished);
}

TEST(AttentionGradientTiming, ItRunsAfterOpsThatHoldTheSameBuffers) {
  // One behind the other, with slots that the one before still holds.
  for (const std::int64_t buffers : {1, 2}) {
    const NpuSpec npu = small_npu(buffers);
    Case c = four_by_four();
    c.shape.causal = true;
    MappedGraph mapped = graph_of(npu, c);
    for (int i = 0; i < 3; ++i) {
      mapped.ops.push_back(mapped.ops.front());
      mapped.ops.back().node = mapped.ops.front().node;
    }
    const TimingResult result = testing::run(npu, mapped);
    const GradientTotals totals = gradient_totals(npu, *mapped.ops.front().attention_gradient);
    EXPECT_EQ(result.dram_bytes, 4 * totals.total_bytes());
    testing::expect_every_cycle_has_a_cause(result);
  }
}

TEST(AttentionGradientTiming, ProgressCountsTheTilesOfEveryStep) {
  const NpuSpec npu = small_npu();
  Case c = four_by_four();
  c.shape.causal = true;
  const MappedGraph mapped = graph_of(npu, c);
  EXPECT_EQ(planned_steps(mapped),
            1 + 5 * gradient_totals(npu, *mapped.ops.front().attention_gradient).steps);
  std::atomic<std::int64_t> done{0};
  SimulationOptions options;
  options.steps_done = &done;
  simulate(npu, mapped, options);
  EXPECT_EQ(done, planned_steps(mapped));
}

TEST(AttentionGradientTiming, ClockedElementsAreRefused) {
  const NpuSpec npu = small_npu();
  EXPECT_NE(pe_refusal(npu, graph_of(npu, Case{})), "");
}

TEST(AttentionGradientTiming, StatisticsOfTheForwardPassAreStored) {
  const NpuSpec npu = small_npu();
  AttentionMapping attention;
  attention.blocks.shape.rows = attention.blocks.shape.columns = 32;
  attention.blocks.shape.depth = attention.blocks.shape.value_depth = 8;
  workloads::Contraction contraction;
  contraction.dims = {{"K", 8}};
  attention.scores = attention.context =
      untiled_gemm(npu, contraction, precision::fp16(), precision::fp32());
  cut_in_blocks(npu, 16, 16, {}, attention);
  const auto run = [&](std::int64_t statistics_bytes) {
    HandGraph graph;
    const workloads::Shape shape{1, 1, 32, 8};
    const auto y = graph.tensor(shape), statistics = graph.tensor({1, 1, 32});
    graph.vector({graph.tensor(shape), graph.tensor(shape), graph.tensor(shape)}, y, {});
    graph.mapped.graph.nodes.front().outputs.push_back(statistics);
    MappedOp& op = graph.mapped.ops.front();
    op.engine = Engine::matrix;
    op.attention = attention;
    op.attention->statistics_bytes = statistics_bytes;
    return testing::run(npu, graph.mapped);
  };
  const TimingResult plain = run(0), kept = run(4);
  EXPECT_EQ(kept.dram_bytes, plain.dram_bytes + 32 * 4);
  // In both blocks of queries log and add of 16 rows: 8 cycles on 4 lanes.
  EXPECT_EQ(kept.vector_busy_cycles, plain.vector_busy_cycles + 2 * 16 * 2 / 4);
}

TEST(AttentionGradientTiming, AStepOfBertMovesAndKeepsLessAndIsFaster) {
  const workloads::Recipe recipe =
      workloads::load_recipe(test::source_dir() + "/configs/recipes/bf16_fp32_master.json");
  const workloads::Workload workload =
      workloads::load_workload(test::source_dir() + "/workloads/bert_base.json");
  struct Step {
    std::int64_t cycles, dram_bytes, activations;
  };
  const auto step_on = [&](const std::string& mapping) {
    const NpuSpec npu = testing::load_shipped("systolic128_bf16", {"mapping=" + mapping});
    const MappedGraph mapped = map_graph(npu, training_graph(npu, workload, recipe).graph, recipe);
    const TimingResult result = testing::run(npu, mapped);
    testing::expect_every_cycle_has_a_cause(result);
    return Step{result.cycles, result.dram_bytes, mapped.memory.most[MemoryKind::activations]};
  };
  const Step parts = step_on("{}");
  const Step whole = step_on("{\"fused_attention\": true, \"fused_attention_backward\": true}");
  EXPECT_LT(whole.cycles, parts.cycles);
  EXPECT_LT(whole.dram_bytes, parts.dram_bytes);
  // Of 12 heads in 12 layers a number a row instead of 128 x 128 weights in BF16.
  EXPECT_EQ(parts.activations - whole.activations, 12 * 12 * 128 * (128 * 2 - 4));
}

}  // namespace
}  // namespace npusim::npu
