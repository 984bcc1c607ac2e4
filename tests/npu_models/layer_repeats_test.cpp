// SPDX-License-Identifier: Apache-2.0
// Layers that repeat: how they are found, and that simulating the first of each gives every number
// that simulating all of them gives.
#include "npu_models/modules/layer_repeats.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/npu_models/random.h"
#include "tests/npu_models/timing_support.h"

namespace npusim::npu {
namespace {

using model::layer_repeats;
using model::LayerRepeat;
using testing::GemmCase;
using testing::HandGraph;
using testing::Random;
using testing::run_all;
using testing::tiny_npu;
using workloads::TensorId;

/// One op of a layer; reads what the op before made.
struct LayerOp {
  int kind = 0;  // product, product with an epilogue, vector op, host op, view
  GemmCase gemm;
  std::int64_t elements = 64;
};

LayerOp random_op(Random& random) {
  LayerOp op;
  op.kind = static_cast<int>(random.in(0, 4));
  op.gemm.m = op.gemm.n = op.gemm.k = 8;
  op.gemm.tile_m = random.in(1, 8);
  op.gemm.tile_n = random.in(1, 8);
  op.gemm.tile_k = random.in(1, 8);
  if (random.in(0, 2) == 0) {
    op.gemm.order = LoopOrder::weight_resident;
    op.gemm.spills = op.gemm.tile_k < 8;
  }
  op.elements = random.in(1, 100);
  return op;
}

TensorId add_op(HandGraph& graph, const LayerOp& op, TensorId input) {
  const TensorId weights = graph.tensor({8, 8});
  const TensorId out = graph.tensor({8, 8});
  switch (op.kind) {
    case 0:
      graph.matrix(op.gemm, input, weights, out);
      return out;
    case 1: {
      const TensorId fused = graph.tensor({8, 8});
      graph.fuse(graph.matrix(op.gemm, input, weights, out), {weights}, fused, {"add", 64});
      return fused;
    }
    case 2:
      graph.vector({input, weights}, out, {{"exp", op.elements}});
      return out;
    case 3:
      graph.host({input}, out, op.elements);
      return out;
    default:
      graph.view(input, out);
      return out;
  }
}

struct Layered {
  MappedGraph mapped;
  std::size_t layer_ops = 0, layers = 0;
};

Layered random_layers(Random& random) {
  HandGraph graph;
  TensorId last = graph.tensor({8, 8});
  const auto some_ops = [&](std::int64_t least, std::int64_t most) {
    std::vector<LayerOp> ops(static_cast<std::size_t>(random.in(least, most)));
    for (LayerOp& op : ops) op = random_op(random);
    return ops;
  };
  const auto add_all = [&](const std::vector<LayerOp>& ops) {
    for (const LayerOp& op : ops) last = add_op(graph, op, last);
  };
  const std::vector<LayerOp> layer = some_ops(1, 5);
  Layered result;
  result.layer_ops = layer.size();
  result.layers = static_cast<std::size_t>(random.in(2, 5));
  add_all(some_ops(0, 3));
  for (std::size_t i = 0; i < result.layers; ++i) add_all(layer);
  add_all(some_ops(0, 3));
  result.mapped = graph.mapped;
  return result;
}

std::size_t saved(const std::vector<LayerRepeat>& repeats) {
  std::size_t ops = 0;
  for (const LayerRepeat& repeat : repeats) ops += (repeat.count - 1) * repeat.length;
  return ops;
}

/// With all layers simulated, and with the first of each: every number is the same.
void expect_same_numbers(const NpuSpec& npu, const std::vector<MappedGraph>& graphs) {
  SimulationOptions options;
  options.layers = Layers::apart;
  const std::vector<TimingResult> all = run_all(npu, graphs, options);
  options.layers = Layers::repeated;
  const std::vector<TimingResult> first = run_all(npu, graphs, options);
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    SCOPED_TRACE("case " + std::to_string(i));
    EXPECT_EQ(serialize(first[i]), serialize(all[i]));
    testing::expect_every_cycle_has_a_cause(first[i]);
  }
}

TEST(LayerRepeats, FoundAsBuilt) {
  Random random(41);
  for (int i = 0; i < 200; ++i) {
    SCOPED_TRACE("case " + std::to_string(i));
    const Layered layered = random_layers(random);
    EXPECT_GE(saved(layer_repeats(tiny_npu(), layered.mapped)),
              (layered.layers - 1) * layered.layer_ops);
  }
}

TEST(LayerRepeats, FirstOfEachGivesTheNumbersOfAll) {
  NpuSpec npu = tiny_npu();
  npu.launch_cycles = 5;
  npu.dram.latency_cycles = 30;
  npu.dram.bandwidth_bytes_per_cycle = 7.3;  // transfers end between cycles
  Random random(42);
  std::vector<MappedGraph> graphs;
  for (int i = 0; i < 100; ++i) graphs.push_back(random_layers(random).mapped);
  expect_same_numbers(npu, graphs);
}

TEST(LayerRepeats, WithBurstsOfDma) {
  NpuSpec npu = tiny_npu();
  npu.dram.latency_cycles = 12;
  npu.dma.emplace();
  npu.dma->channels = 2;
  npu.dma->burst_bytes = 128;
  npu.dma->descriptor_cycles = 3;
  Random random(43);
  std::vector<MappedGraph> graphs;
  for (int i = 0; i < 60; ++i) graphs.push_back(random_layers(random).mapped);
  expect_same_numbers(npu, graphs);
}

NpuSpec npu_with_rows() {
  NpuSpec npu = tiny_npu();
  npu.dram.latency_cycles = 9;
  npu.dram.timing.emplace();
  DramTiming& timing = *npu.dram.timing;
  timing.channels = 1;
  timing.burst_bytes = 32;
  timing.row_bytes = 64;
  timing.banks = 2;
  timing.row_miss = 7000;
  timing.read_to_write = 2000;
  timing.write_to_read = 3000;
  timing.refresh_interval = 90000;
  timing.refresh = 11000;
  return npu;
}

TEST(LayerRepeats, WithOpenRowsAndRefresh) {
  const NpuSpec npu = npu_with_rows();
  Random random(44);
  std::vector<MappedGraph> graphs;
  std::size_t repeating = 0;
  for (int i = 0; i < 60; ++i) {
    graphs.push_back(random_layers(random).mapped);
    repeating += saved(layer_repeats(npu, graphs.back())) > 0 ? 1 : 0;
  }
  EXPECT_GE(repeating, 20U);  // layers whose partial sums leave the chip lie otherwise each time
  expect_same_numbers(npu, graphs);
}

TEST(LayerRepeats, RowsThatLieOtherwiseAreNoRepetition) {
  NpuSpec npu = npu_with_rows();
  HandGraph graph;
  TensorId last = graph.tensor({8, 8});
  for (int i = 0; i < 3; ++i) last = add_op(graph, {2, {}, 64}, last);
  EXPECT_EQ(layer_repeats(npu, graph.mapped).size(), 1U);
  npu.dram.timing->row_bytes = 256;  // two tensors of 128 bytes a layer: half of its banks
  npu.dram.timing->banks = 4;
  EXPECT_TRUE(layer_repeats(npu, graph.mapped).empty());
  npu.dram.timing.reset();
  EXPECT_EQ(layer_repeats(npu, graph.mapped).size(), 1U);
}

TEST(LayerRepeats, OtherTilesOrProducersAreNoRepetition) {
  const auto layers_of = [](const GemmCase& first, const GemmCase& second, bool skip) {
    HandGraph graph;
    const TensorId begin = graph.tensor({8, 8});
    const TensorId one = add_op(graph, {0, first, 64}, begin);
    const TensorId two = add_op(graph, {2, {}, 64}, one);
    const TensorId three = add_op(graph, {0, second, 64}, two);
    add_op(graph, {2, {}, 64}, skip ? two : three);
    return saved(layer_repeats(tiny_npu(), graph.mapped));
  };
  GemmCase gemm;
  gemm.m = gemm.n = gemm.k = 8;
  GemmCase other = gemm;
  other.tile_k = 2;
  EXPECT_EQ(layers_of(gemm, gemm, false), 2U);
  EXPECT_EQ(layers_of(gemm, other, false), 0U);
  EXPECT_EQ(layers_of(gemm, gemm, true), 0U);
}

/// By hand: two layers of one product, which alone takes load, array and store.
TEST(LayerRepeats, LayersApartTakeTheirTimesOneAfterTheOther) {
  GemmCase gemm;
  HandGraph one, two;
  const TensorId input = one.tensor({4, 4});
  one.matrix(gemm, input, one.tensor({4, 4}), one.tensor({4, 4}));
  const TensorId first = two.tensor({4, 4}), between = two.tensor({4, 4});
  two.matrix(gemm, first, two.tensor({4, 4}), between);
  two.matrix(gemm, between, two.tensor({4, 4}), two.tensor({4, 4}));
  const std::vector<TimingResult> together = run_all(tiny_npu(), {one.mapped, two.mapped});
  SimulationOptions options;
  options.layers = Layers::repeated;
  const std::vector<TimingResult> apart = run_all(tiny_npu(), {two.mapped}, options);
  EXPECT_EQ(apart.front().cycles, 2 * together.front().cycles);
  EXPECT_LT(together.back().cycles, apart.front().cycles);  // weights of the second come early
  EXPECT_EQ(apart.front().layers_apart, 1);
  EXPECT_EQ(apart.front().ops.back().start_cycle, together.front().cycles);
}

}  // namespace
}  // namespace npusim::npu
