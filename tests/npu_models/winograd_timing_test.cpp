// SPDX-License-Identifier: Apache-2.0
// Convolutions by Winograd on the tile model: against engines stepped command by command here, and
// by hand on one tile.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <vector>

#include "npu_models/energy.h"
#include "npu_models/gemm_traffic.h"
#include "npu_models/tiling.h"
#include "npu_models/winograd_mapping.h"
#include "npu_models/winograd_steps.h"
#include "random.h"
#include "support.h"
#include "timing_support.h"
#include "tokens.h"
#include "workloads/winograd.h"

namespace npusim::npu {
namespace {

using testing::HandGraph;
using testing::Random;

struct Case {
  std::int64_t images = 1, groups = 1, channels = 4, outputs = 4, size = 8;  ///< padded by 1
  std::int64_t m = 2;
  std::int64_t tile_m = 4, tile_n = 4, tile_k = 4;
  WinogradStage stage = WinogradStage::vector_unit;
  bool offline = true, bias = false, spills = false;
  bool residual = false;  ///< something as large as the output is added on its tiles
  ArraySplit split{};
};

workloads::Contraction convolution_of(const Case& c) {
  workloads::Contraction conv;
  conv.role = workloads::GemmRole::fprop;
  conv.groups = c.groups;
  conv.m = c.images * c.size * c.size;
  conv.n = c.outputs;
  conv.dims = {{"C", c.channels}, {"R", 3}, {"S", 3}};
  conv.bias_input = c.bias ? 2 : -1;
  workloads::Window w;
  w.images = c.images;
  w.channels = c.channels;
  w.in_height = w.in_width = w.out_height = w.out_width = c.size;
  w.kernel_height = w.kernel_width = 3;
  conv.window = w;
  return conv;
}

GemmMapping mapping_of(const NpuSpec& npu, const Case& c) {
  const workloads::Contraction conv = convolution_of(c);
  GemmMapping gemm =
      untiled_gemm(npu, winograd_contraction(conv, c.m), precision::fp16(), precision::fp32());
  WinogradForm form;
  form.outputs = c.m;
  form.stage = c.stage;
  form.offline_weights = c.offline;
  form.arithmetic = {precision::fp32(), precision::Rounding::rne};
  form.convolution = conv;
  gemm.winograd = form;
  gemm.tile_m = std::min(c.tile_m, gemm.contraction.m);
  gemm.tile_n = std::min(c.tile_n, c.outputs);
  gemm.tile_k = std::min(c.tile_k, c.channels);
  gemm.split = c.split;
  gemm.spills = c.spills;
  if (c.spills) gemm.loop_order = LoopOrder::weight_resident;
  return gemm;
}

MappedGraph graph_of(const NpuSpec& npu, const Case& c) {
  HandGraph graph;
  std::vector<workloads::TensorId> inputs = {
      graph.tensor({c.images, c.groups * c.channels, c.size, c.size}),
      graph.tensor({c.groups * c.outputs, c.channels, 3, 3})};
  if (c.bias) inputs.push_back(graph.tensor({c.groups * c.outputs}));
  graph.vector(inputs, graph.tensor({c.images, c.groups * c.outputs, c.size, c.size}), {});
  MappedOp& op = graph.mapped.ops.front();
  op.engine = Engine::matrix;
  op.gemm = mapping_of(npu, c);
  op.macs = op.gemm->macs();
  add_combination(*op.gemm, op.vector_work);
  add_output_transforms(*op.gemm, op.vector_work);
  const workloads::Shape y{c.images, c.groups * c.outputs, c.size, c.size};
  const std::int64_t results = op.gemm->results();
  if (c.residual) graph.fuse(0, {graph.tensor(y)}, graph.tensor(y), {"add", results});
  return graph.mapped;
}

std::int64_t even(std::int64_t extent, std::int64_t parts) {
  return (extent + parts - 1) / parts;
}

/// The engines one command after the other, with a memory that takes no time. Partial sums stay;
/// the loops and what they load are worked out here.
class Stepped {
 public:
  Stepped(const NpuSpec& npu, const Case& c)
      : npu_(npu),
        c_(c),
        points_((c.m + 2) * (c.m + 2)),
        positions_(c.images * even(c.size, c.m) * even(c.size, c.m)),
        streamed_(npu.scratchpad.buffers),
        stationary_(npu.scratchpad.buffers),
        results_(npu.scratchpad.buffers),
        others_(npu.scratchpad.buffers),
        sums_(npu.mac_array.accumulator.memory_bytes) {}

  std::int64_t run() {
    const bool vector_unit = c_.stage == WinogradStage::vector_unit;
    std::vector<Tile> tiles;
    for (std::int64_t g = 0; g < c_.groups; g += c_.split.groups)
      for (std::int64_t n = 0; n < c_.outputs; n += c_.tile_n)
        for (std::int64_t m = 0; m < positions_; m += c_.tile_m)
          for (std::int64_t k = 0; k < c_.channels; k += c_.tile_k)
            tiles.push_back({g, m, n, k, std::min(c_.split.groups, c_.groups - g),
                             std::min(c_.tile_m, positions_ - m),
                             std::min(c_.tile_n, c_.outputs - n),
                             std::min(c_.tile_k, c_.channels - k)});
    for (std::size_t i = 0; i < tiles.size(); ++i) {
      load(tiles, i);
      const bool ahead = vector_unit && npu_.scratchpad.buffers > 1;
      if (!ahead) compute(tiles, i);
      if (ahead && i > 0) compute(tiles, i - 1);
      if (ahead && i + 1 == tiles.size()) compute(tiles, i);
    }
    return std::max({array_, vector_, store_});
  }
  std::int64_t transforming = 0;  ///< cycles for operands

 private:
  struct Tile {
    std::int64_t g, m, n, k, groups, m_count, n_count, terms;
    std::int64_t loaded = 0, transformed = 0;
    bool same_streamed(const Tile& o) const { return g == o.g && m == o.m && k == o.k; }
    bool same_stationary(const Tile& o) const { return g == o.g && n == o.n && k == o.k; }
  };

  std::int64_t work(std::int64_t operations) const {
    return npu_.vector_unit.startup_cycles + even(operations, npu_.vector_unit.lanes);
  }
  void transform(std::int64_t operations) {
    if (c_.stage == WinogradStage::array_edge) return;
    vector_ = std::max(vector_, load_) + work(operations);
    transforming += work(operations);
    transformed_ = vector_;
  }

  void load(std::vector<Tile>& tiles, std::size_t i) {
    Tile& t = tiles[i];
    const auto each = [](const workloads::WinogradOperations& o) { return o.add + o.mul; };
    if (i == 0 || !t.same_stationary(tiles[i - 1])) {
      load_ = stationary_.take(1, load_);
      if (!c_.offline)
        transform(t.groups * t.n_count * t.terms *
                  each(workloads::winograd_weight_operations(c_.m)));
    }
    if (i == 0 || !t.same_streamed(tiles[i - 1])) {
      load_ = streamed_.take(1, load_);
      transform(t.groups * t.m_count * t.terms * each(workloads::winograd_input_operations(c_.m)));
    }
    t.loaded = load_;
    t.transformed = transformed_;
  }

  void compute(const std::vector<Tile>& tiles, std::size_t i) {
    const Tile& t = tiles[i];
    const bool last = i + 1 == tiles.size();
    const TileShape share{even(t.m_count, c_.split.m), even(t.n_count, c_.split.n), t.terms};
    const std::int64_t held = points_ * share.m * share.n * 4;
    array_ = std::max({array_, t.loaded, t.transformed});
    if (t.k == 0) array_ = sums_.take(held, array_);
    array_ +=
        points_ * find_organisation("systolic")->tile_cycles(npu_.mac_array, 1, 1, share).total();
    if (last || !t.same_streamed(tiles[i + 1])) streamed_.give(1, array_);
    if (last || !t.same_stationary(tiles[i + 1])) stationary_.give(1, array_);
    if (t.k + t.terms < c_.channels) return;
    const std::int64_t sums = t.groups * t.m_count * t.n_count;
    const bool edge = c_.stage == WinogradStage::array_edge;
    if (edge && !c_.residual) {
      store_ = std::max(store_, array_);
      sums_.give(held, store_);
      return;
    }
    // add and mul of all outputs, each dealt to tiles in proportion to their sums.
    const std::int64_t whole = c_.groups * positions_ * c_.outputs;
    const workloads::WinogradOperations o = workloads::winograd_output_operations(c_.m);
    const std::int64_t biased =
        c_.bias ? c_.images * c_.groups * c_.outputs * c_.size * c_.size : 0;
    const auto part = [&](std::int64_t total) {
      return total * (finished_ + sums) / whole - total * finished_ / whole;
    };
    std::int64_t operations = edge ? 0 : part(o.add * whole + biased) + part(o.mul * whole);
    std::int64_t loaded = t.loaded;
    if (c_.residual) {
      operations += part(c_.images * c_.groups * c_.outputs * c_.size * c_.size);
      load_ = loaded = others_.take(1, load_);
    }
    finished_ += sums;
    vector_ = results_.take(1, std::max({vector_, loaded, array_})) + work(operations);
    sums_.give(held, vector_);
    if (c_.residual) others_.give(1, vector_);
    store_ = std::max(store_, vector_);
    results_.give(1, store_);
  }

  const NpuSpec& npu_;
  const Case c_;
  const std::int64_t points_, positions_;
  testing::Tokens streamed_, stationary_, results_, others_, sums_;
  std::int64_t load_ = 0, array_ = 0, vector_ = 0, store_ = 0, transformed_ = 0, finished_ = 0;
};

Case random_case(Random& random, const NpuSpec& npu) {
  Case c;
  c.m = random.flip() ? 2 : 4;
  c.images = random.in(1, 2);
  c.groups = random.in(1, 3);
  c.channels = random.in(1, 20);
  c.outputs = random.in(1, 12);
  c.size = random.in(1, 13);
  c.stage = random.in(0, 3) == 0 ? WinogradStage::array_edge : WinogradStage::vector_unit;
  c.offline = random.flip();
  c.bias = random.flip();
  const std::int64_t positions = c.images * even(c.size, c.m) * even(c.size, c.m);
  c.tile_m = random.in(1, positions);
  c.tile_n = random.in(1, c.outputs);
  c.tile_k = random.flip() ? c.channels : std::min<std::int64_t>(c.channels, 4 * random.in(1, 3));
  c.split.groups = random.in(1, std::min(c.groups, npu.mac_array.arrays));
  c.split.m = random.in(1, std::min(c.tile_m, npu.mac_array.arrays / c.split.groups));
  return c;
}

TEST(WinogradTiming, IsThatOfSteppedEngines) {
  Random random(11);
  int vector_waits = 0;
  for (int i = 0; i < 120; ++i) {
    SCOPED_TRACE(i);
    NpuSpec npu = testing::tiny_npu();
    npu.scratchpad.buffers = random.in(1, 3);
    npu.dram.bandwidth_bytes_per_cycle = 1e15;
    npu.mac_array.arrays = random.in(1, 3);
    npu.vector_unit.lanes = random.of({1, 4, 64, 512});
    npu.vector_unit.startup_cycles = random.in(0, 5);
    Case c = random_case(random, npu);
    c.residual = random.flip();
    // As little accumulator memory as the mapping allows, so that it is waited for.
    if (random.flip())
      npu.mac_array.accumulator.memory_bytes =
          2 * (c.m + 2) * (c.m + 2) * even(c.tile_m, c.split.m) * c.tile_n * 4;
    const GemmMapping gemm = mapping_of(npu, c);
    const TimingResult result = testing::run(npu, graph_of(npu, c));
    Stepped stepped(npu, c);
    EXPECT_EQ(result.cycles, stepped.run());
    EXPECT_EQ(result.ops.front().tiles, gemm_tile_counts(gemm).total());
    EXPECT_EQ(result.ops.front().rearranging.at("winograd_vector_cycles"), stepped.transforming);
    // What the mapping is chosen by: whole pieces of work may take a cycle more each.
    const WinogradCycles cycles = winograd_cycles(npu, gemm);
    const WinogradTotals totals = winograd_totals(gemm);
    const bool idle = c.stage == WinogradStage::array_edge;
    const std::int64_t pieces =
        idle ? 0 : totals.input_loads + totals.weight_loads + gemm_tile_counts(gemm).total();
    if (!c.residual) {
      EXPECT_GE(result.vector_busy_cycles, cycles.operands + cycles.outputs - 2);
      EXPECT_LE(result.vector_busy_cycles, cycles.operands + cycles.outputs + pieces);
    }
    const std::int64_t others =
        (c.bias ? c.groups * c.outputs * 2 : 0) + (c.residual ? gemm.results() * 2 : 0);
    EXPECT_EQ(result.dram_bytes, gemm_traffic(gemm, {2, 2, 2}).total_bytes() + others);
    vector_waits += result.stall_cycles.at("vector") > 0 ? 1 : 0;
    testing::expect_every_cycle_has_a_cause(result);
  }
  EXPECT_GT(vector_waits, 20);
}

TEST(WinogradTiming, EveryCycleHasACauseWithPortsSpillsAndPartsOfK) {
  Random random(29);
  int by_ports = 0, spilled = 0;
  for (int i = 0; i < 80; ++i) {
    SCOPED_TRACE(i);
    NpuSpec npu = testing::tiny_npu();
    npu.scratchpad.buffers = random.in(1, 3);
    npu.dram.bandwidth_bytes_per_cycle = random.of({2, 16, 256});
    npu.dram.latency_cycles = random.in(0, 20);
    npu.mac_array.arrays = random.in(1, 4);
    npu.vector_unit.lanes = random.of({4, 64});
    if (random.flip()) npu.mac_array.accumulator.ports = 1;
    if (random.flip())
      npu.scratchpad.ports = ScratchpadPorts{1, 1, random.of({8, 32}), Banking::interleaved};
    if (random.flip()) npu.dma = DmaSpec{random.in(1, 2), 16, 32, 5, 2};
    Case c = random_case(random, npu);
    c.split = {};
    c.spills = random.flip() && c.tile_k < c.channels;
    if (!c.spills && npu.mac_array.arrays > 1 && c.channels > 4) {
      c.split.k = 2;
      c.tile_k = 4;
    }
    // One tile of positions: partial sums have nowhere to go.
    if (c.spills) c.tile_m = std::max<std::int64_t>(1, c.tile_m / 2);
    const GemmMapping gemm = mapping_of(npu, c);
    if (c.spills && gemm_tile_counts(gemm).m == 1) continue;
    const TimingResult result = testing::run(npu, graph_of(npu, c));
    const std::int64_t bias = c.bias ? c.groups * c.outputs * 2 : 0;
    EXPECT_EQ(result.dram_bytes, gemm_traffic(gemm, {2, 2, 2}).total_bytes() + bias);
    EXPECT_EQ(result.ops.front().tiles, gemm_tile_counts(gemm).total());
    // What the arrays take without waiting: the closed form that the mapping is chosen by.
    const std::int64_t own = result.busy_cycles + result.stall_cycles.at("preload") +
                             result.stall_cycles.at("fill_drain") +
                             result.stall_cycles.at("accumulate");
    if (npu.mac_array.arrays == 1) {
      EXPECT_EQ(own, array_cycles_by_cause(npu, gemm).array);
    }
    testing::expect_every_cycle_has_a_cause(result);
    for (const char* cause : {"accumulator_ports", "scratchpad_ports"})
      if (const auto found = result.stall_cycles.find(cause); found != result.stall_cycles.end())
        by_ports += found->second > 0 ? 1 : 0;
    spilled += result.ops.front().spill_bytes > 0 ? 1 : 0;
  }
  EXPECT_GT(by_ports, 10);
  EXPECT_GT(spilled, 5);
}

TEST(WinogradTiming, OneTileByHand) {
  NpuSpec npu = testing::tiny_npu();
  Case c;  // 8x8 pixels of 4 channels, 4 outputs: 16 tiles of 2x2
  c.tile_m = 16;
  // Weights 16 * 16 * 2 bytes, 0..32; pixels 64 * 4 * 2, 32..64; 64 tiles of a channel, 32
  // additions each by 4 lanes, 64..576; 16 products of 4 + 16 + 6, ..992; 24 additions of each of
  // 64 sums, ..1376; outputs 64 * 4 * 2, ..1408.
  const TimingResult result = testing::run(npu, graph_of(npu, c));
  EXPECT_EQ(result.cycles, 64 + 64 * 32 / 4 + 16 * 26 + 64 * 24 / 4 + 32);
  EXPECT_EQ(result.dram_bytes, 512 + 512 + 512);
  EXPECT_EQ(result.macs, 16 * 16 * 4 * 4);
  const OpTiming& op = result.ops.front();
  EXPECT_EQ(op.convolution_macs, 9 * 64 * 4 * 4);
  EXPECT_EQ(op.winograd, "winograd 2x2");
  EXPECT_EQ(op.rearranging.at("winograd_vector_cycles"), 512);
  EXPECT_EQ(result.stall_cycles.at("vector"), 512 + 384);
  const double additions = 64 * 32 + 64 * 24;
  const double joules = 1e-9 * additions * add_pj(npu.energy, precision::fp32());
  EXPECT_GT(joules, 0.0);
  EXPECT_DOUBLE_EQ(result.energy.vector_mj, joules);
  // At the array's edge only the products and the transfers are left; the adders still work.
  c.stage = WinogradStage::array_edge;
  const TimingResult edge = testing::run(npu, graph_of(npu, c));
  EXPECT_EQ(edge.cycles, 64 + 16 * 26 + 32);
  EXPECT_DOUBLE_EQ(edge.energy.vector_mj, joules);
  // Nine weights, transformed at the edge: 4 * 4 * 9 * 2 bytes.
  c.offline = false;
  EXPECT_EQ(testing::run(npu, graph_of(npu, c)).cycles, 18 + 32 + 16 * 26 + 32);
  // Larger tiles: four of 4x4, 36 products of 4 + 4 + 6.
  c.m = 4;
  EXPECT_EQ(testing::run(npu, graph_of(npu, c)).cycles, 18 + 32 + 36 * 14 + 32);
}

TEST(WinogradTiming, NeighbouringTilesShareTheirPixels) {
  const NpuSpec npu = testing::tiny_npu();
  Case c;
  c.tile_m = 4;  // a row of tiles: 4 of 8 lines, shared by two at each border
  const GemmMapping gemm = mapping_of(npu, c);
  EXPECT_EQ(tile_m_side_bytes(gemm, 1, 0, 4, 0, 2), 4 * 8 * 4 * 2);
  EXPECT_EQ(tile_m_side_bytes(gemm, 1, 0, 1, 0, 2), 4 * 4 * 4 * 2);
  EXPECT_EQ(tile_m_side_bytes(gemm, 1, 0, 2, 0, 2), 4 * 6 * 4 * 2);
  EXPECT_EQ(testing::run(npu, graph_of(npu, c)).dram_bytes, 512 + 4 * 256 + 512);
}

TEST(WinogradTiming, SumsOfEveryPointSpill) {
  NpuSpec npu = testing::tiny_npu();
  Case c;
  c.channels = 16;
  c.tile_m = 8;
  c.tile_k = 4;
  c.spills = true;
  c.offline = false;
  const GemmMapping gemm = mapping_of(npu, c);
  const TimingResult result = testing::run(npu, graph_of(npu, c));
  // 16 points of 16 positions and 4 channels, FP32, behind three of four tiles of K, both ways
  EXPECT_EQ(result.ops.front().spill_bytes, 2 * 3 * 16 * 16 * 4 * 4);
  EXPECT_EQ(result.dram_bytes, gemm_traffic(gemm, {2, 2, 2}).total_bytes());
  testing::expect_every_cycle_has_a_cause(result);
}

TEST(WinogradTiming, PartsOfKAreAddedPointByPoint) {
  NpuSpec npu = testing::tiny_npu();
  npu.mac_array.arrays = 2;
  Case c;
  c.channels = 8;
  c.tile_m = 16;
  c.split.k = 2;
  // 16 tiles of 8 channels to transform; 16 sums of two arrays for each of 64 output tiles added
  // up, then transformed: 4 lanes
  const TimingResult result = testing::run(npu, graph_of(npu, c));
  EXPECT_EQ(result.vector_busy_cycles, (16 * 8 * 32 + 16 * 64 + 24 * 64) / 4);
  EXPECT_EQ(result.macs, 16 * 16 * 8 * 4);
  testing::expect_every_cycle_has_a_cause(result);
}

TEST(WinogradTiming, AnArraysEdgeTransformsWhatPassesIt) {
  const NpuSpec npu = testing::tiny_npu();  // 4 output channels at once
  Case c;
  c.stage = WinogradStage::array_edge;
  c.outputs = c.tile_n = 12;
  c.tile_m = 8;
  const auto additions = [&](double count) {
    return 1e-9 * count * add_pj(npu.energy, precision::fp32());
  };
  // 16 tiles of 4 channels pass for each of three blocks of output channels.
  const double adds = 3 * 16 * 4 * 32 + 16 * 12 * 24;
  EXPECT_DOUBLE_EQ(testing::run(npu, graph_of(npu, c)).energy.vector_mj, additions(adds));
  // Weights are loaded once, and pass for each of two tiles of positions.
  c.offline = false;
  const double more = 2 * 4 * 12 * 21, halves = 2 * 4 * 12 * 14;
  EXPECT_DOUBLE_EQ(
      testing::run(npu, graph_of(npu, c)).energy.vector_mj,
      additions(adds + more) + 1e-9 * halves * multiply_pj(npu.energy, precision::fp32()));
  // The vector unit transforms what is loaded.
  c.offline = true;
  c.stage = WinogradStage::vector_unit;
  EXPECT_DOUBLE_EQ(testing::run(npu, graph_of(npu, c)).energy.vector_mj,
                   additions(16 * 4 * 32 + 16 * 12 * 24));
  // Parts of K and of positions change nothing.
  NpuSpec four = npu;
  four.mac_array.arrays = 4;
  c.channels = 8;
  c.split.k = c.split.m = 2;
  const OperandPasses passes = operand_passes(four, mapping_of(four, c));
  EXPECT_EQ(passes.streamed, 3 * 16 * 8);
  EXPECT_EQ(passes.stationary, 2 * 2 * 8 * 12);
}

TEST(WinogradTiming, ClockedElementsAreRefused) {
  const NpuSpec npu = testing::tiny_npu();
  EXPECT_NE(pe_refusal(npu, graph_of(npu, Case{})), "");
}

}  // namespace
}  // namespace npusim::npu
