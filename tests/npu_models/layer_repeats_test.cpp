// SPDX-License-Identifier: Apache-2.0
// Layers that repeat: how they are found, and that simulating the first of each gives every number
// that simulating all of them gives.
#include "npu_models/modules/layer_repeats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

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
using workloads::TensorId;

NpuSpec tiny_npu() {
  NpuSpec npu = testing::tiny_npu();
  npu.vector_unit.cycles_per_element["copy"] = 1.0;
  return npu;
}

/// Second operand of an op.
enum class Other { own, residual, of_layer, shared };

/// One op of a layer; reads what the op before made.
struct LayerOp {
  int kind = 0;  // product, product with an epilogue, vector op, host op, view
  GemmCase gemm;
  std::int64_t elements = 64;
  Other other = Other::own;
  std::vector<TransposedOperand> transposed{};
};

/// What ops of a layer read beside what the op before made.
struct Sources {
  TensorId residual, of_layer, shared;  // what the layer read, what its first op did, what all read
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
  if (random.in(0, 3) == 0) op.transposed = {{random.flip(), false, 64, 2}};
  op.other = random.of({Other::own, Other::own, Other::residual, Other::of_layer, Other::shared});
  return op;
}

TensorId other_of(HandGraph& graph, Other other, const Sources& sources) {
  switch (other) {
    case Other::residual:
      return sources.residual;
    case Other::of_layer:
      return sources.of_layer;
    case Other::shared:
      return sources.shared;
    default:
      return graph.tensor({8, 8});
  }
}

TensorId add_op(HandGraph& graph, const LayerOp& op, TensorId input, const Sources& sources = {}) {
  const TensorId weights = other_of(graph, op.other, sources);
  const TensorId out = graph.tensor({8, 8});
  switch (op.kind) {
    case 0:
      graph.matrix(op.gemm, input, weights, out);
      graph.mapped.ops.back().transposed = op.transposed;
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
  std::size_t saved = 0;  ///< ops of all layers but the first of each sequence
};

/// One or two sequences of equal layers, one behind the other, between ops that repeat nothing.
/// Layers have residuals, read what their own first op made, and what all layers read.
Layered random_layers(Random& random) {
  HandGraph graph;
  TensorId last = graph.tensor({8, 8});
  const TensorId shared = graph.tensor({8, 8});
  const auto some_ops = [&](std::int64_t least, std::int64_t most) {
    std::vector<LayerOp> ops(static_cast<std::size_t>(random.in(least, most)));
    for (LayerOp& op : ops) op = random_op(random);
    return ops;
  };
  const auto add_all = [&](const std::vector<LayerOp>& ops) {
    Sources sources = {last, last, shared};
    for (std::size_t i = 0; i < ops.size(); ++i) {
      last = add_op(graph, ops[i], last, sources);
      if (i == 0) sources.of_layer = last;
    }
  };
  Layered result;
  add_all(some_ops(0, 3));
  for (std::int64_t sequence = random.in(1, 2); sequence > 0; --sequence) {
    const std::vector<LayerOp> layer = some_ops(1, 5);
    const std::int64_t layers = random.in(2, 5);
    for (std::int64_t i = 0; i < layers; ++i) add_all(layer);
    result.saved = std::max(result.saved, static_cast<std::size_t>(layers - 1) * layer.size());
  }
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
    EXPECT_GE(saved(layer_repeats(tiny_npu(), layered.mapped)), layered.saved);
  }
}

/// Of kinds [begin, end): every sequence, as often as it follows itself, that saves the most; the
/// shortest, then the first of several; and the same to both sides of it.
void add_repeats(const std::vector<std::int64_t>& kinds, std::size_t begin, std::size_t end,
                 std::vector<LayerRepeat>& found) {
  LayerRepeat best;
  std::size_t most = 0;
  for (std::size_t length = 1; length <= end - begin; ++length)
    for (std::size_t first = begin; first + length <= end; ++first) {
      std::size_t count = 1;
      while (first + (count + 1) * length <= end &&
             std::equal(kinds.begin() + static_cast<std::ptrdiff_t>(first),
                        kinds.begin() + static_cast<std::ptrdiff_t>(first + length),
                        kinds.begin() + static_cast<std::ptrdiff_t>(first + count * length)))
        ++count;
      if ((count - 1) * length <= most) continue;
      most = (count - 1) * length;
      best = {first, length, count};
    }
  if (most == 0) return;
  add_repeats(kinds, begin, best.first, found);
  found.push_back(best);
  add_repeats(kinds, best.end(), end, found);
}

TEST(LayerRepeats, AreThoseOfTryingAllSequences) {
  Random random(46);
  for (int i = 0; i < 400; ++i) {
    SCOPED_TRACE("case " + std::to_string(i));
    HandGraph graph;
    TensorId last = graph.tensor({8});
    std::vector<std::int64_t> kinds(static_cast<std::size_t>(random.in(1, 40)));
    for (std::int64_t& kind : kinds) {
      kind = random.in(1, 2 + i % 2);
      const TensorId next = graph.tensor({8});
      graph.vector({last}, next, {{"exp", kind}});
      last = next;
    }
    std::vector<LayerRepeat> expected;
    add_repeats(kinds, 0, kinds.size(), expected);
    const std::vector<LayerRepeat> found = layer_repeats(tiny_npu(), graph.mapped);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t r = 0; r < found.size(); ++r) {
      EXPECT_EQ(found[r].first, expected[r].first);
      EXPECT_EQ(found[r].length, expected[r].length);
      EXPECT_EQ(found[r].count, expected[r].count);
    }
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

TEST(LayerRepeats, WithPortsOfScratchpadAndAccumulators) {
  NpuSpec npu = tiny_npu();
  npu.dram.latency_cycles = 12;
  npu.mac_array.accumulator.ports = 1;
  npu.scratchpad.ports = ScratchpadPorts{1, 1, 16, Banking::interleaved};
  Random random(45);
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

using Change = std::function<void(MappedOp&)>;

/// Ops saved of two layers, of a product that is changed and a vector op.
std::size_t saved_of(const Change& first, const Change& second) {
  HandGraph graph;
  TensorId last = graph.tensor({8, 8});
  for (const Change& change : {first, second}) {
    GemmCase gemm;
    gemm.m = gemm.n = gemm.k = 8;
    const TensorId product = graph.tensor({8, 8});
    change(graph.mapped.ops[static_cast<std::size_t>(
        graph.matrix(gemm, last, graph.tensor({8, 8}), product))]);
    last = graph.tensor({8, 8});
    graph.vector({product}, last, {{"exp", 64}});
  }
  return saved(layer_repeats(tiny_npu(), graph.mapped));
}

/// Equal ops repeat, each of the others tells its layer from the first's.
void expect_told_apart(const std::vector<Change>& changes) {
  for (std::size_t i = 0; i < changes.size(); ++i)
    for (std::size_t j = 0; j < changes.size(); ++j)
      EXPECT_EQ(saved_of(changes[i], changes[j]), i == j ? 2U : 0U) << i << " " << j;
}

TEST(LayerRepeats, OtherFormsOfOperandsAreNoRepetition) {
  const auto transposed = [](TransposedOperand operand) {
    return [operand](MappedOp& op) { op.transposed = {operand}; };
  };
  const Change plain = [](MappedOp&) {};
  expect_told_apart({plain, transposed({true, false, 64, 2}), transposed({false, false, 64, 2}),
                     transposed({true, true, 64, 2}), transposed({true, false, 32, 2}),
                     transposed({true, false, 64, 1})});
  const auto made = [](Rearrangement form) {
    return [form](MappedOp& op) { op.rearrangement = form; };
  };
  constexpr auto kIm2col = Rearrangement::Kind::im2col;
  expect_told_apart({plain, made({kIm2col, 64, 128, 64}), made({kIm2col, 32, 128, 64}),
                     made({kIm2col, 64, 256, 64}), made({kIm2col, 64, 128, 32}),
                     made({Rearrangement::Kind::zero_insertion, 64, 128, 64})});
  expect_told_apart({plain, [](MappedOp& op) { op.changes_order = true; }});
}

TEST(LayerRepeats, OtherFormsOfAConvolutionAreNoRepetition) {
  const auto winograd = [](const std::function<void(WinogradForm&)>& change) {
    return [change](MappedOp& op) {
      WinogradForm form;
      form.convolution = op.gemm->contraction;
      change(form);
      op.gemm->winograd = form;
    };
  };
  expect_told_apart({[](MappedOp&) {}, winograd([](WinogradForm&) {}),
                     winograd([](WinogradForm& form) { form.outputs = 4; }),
                     winograd([](WinogradForm& form) { form.stage = WinogradStage::array_edge; }),
                     winograd([](WinogradForm& form) { form.offline_weights = false; }),
                     winograd([](WinogradForm& form) { form.convolution.m = 64; })});
}

TEST(LayerRepeats, OtherGradientsOfAttentionAreNoRepetition) {
  const auto gradient = [](const std::function<void(AttentionGradientMapping&)>& change) {
    return [change](MappedOp& op) {
      AttentionGradientMapping mapping;
      for (GemmMapping* product :
           {&mapping.scores, &mapping.weights, &mapping.values, &mapping.keys, &mapping.queries})
        *product = *op.gemm;
      op.gemm.reset();
      change(mapping);
      op.attention_gradient = mapping;
    };
  };
  using Gradient = AttentionGradientMapping;
  expect_told_apart({[](MappedOp&) {}, gradient([](Gradient&) {}),
                     gradient([](Gradient& g) { g.blocks.queries = 16; }),
                     gradient([](Gradient& g) { g.blocks.keys = 32; }),
                     gradient([](Gradient& g) { g.blocks.shape.heads = 12; }),
                     gradient([](Gradient& g) { g.mask.by_row = true; }),
                     gradient([](Gradient& g) { g.keys.tile_n = 2; }),
                     gradient([](Gradient& g) { g.operand_bytes = 16; }),
                     gradient([](Gradient& g) { g.statistics_bytes = 16; }),
                     gradient([](Gradient& g) { g.key_gradient_bytes = 16; })});
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
