// SPDX-License-Identifier: Apache-2.0
// Epilogues, vector ops, host ops, views and energy on the tile model; numbers worked by hand.
#include <gtest/gtest.h>

#include "tests/npu_models/timing_support.h"

namespace npusim::npu {
namespace {

using testing::HandGraph;
using testing::run;
using testing::tiny_npu;

TEST(TimingOps, FusedEpilogueRunsOnTheTileBeforeItIsStored) {
  HandGraph graph;
  const int op = graph.matrix({}, graph.tensor({4, 4}), graph.tensor({4, 4}), graph.tensor({4, 4}));
  graph.fuse(op, {}, graph.tensor({4, 4}), {"max", 16});
  const auto residual = graph.tensor({4, 4});
  graph.fuse(op, {residual}, graph.tensor({4, 4}), {"add", 16});
  const TimingResult result = run(tiny_npu(), graph.mapped);
  // loads 0..2, 2..4 and the residual 4..6; array 4..18; 32 lane-cycles over 4 lanes 18..26; 26..28
  EXPECT_EQ(result.cycles, 28);
  EXPECT_EQ(result.dram_bytes, 4 * 32);  // tensors between fused nodes stay on the chip
  EXPECT_EQ(result.vector_busy_cycles, 8);
  EXPECT_EQ(result.stall_cycles.at("vector"), 8);
  testing::expect_every_cycle_has_a_cause(result);
}

TEST(TimingOps, PerChannelParametersAreLoadedOncePerOp) {
  HandGraph graph;
  testing::GemmCase gemm;
  gemm.m = 16;
  const int op = graph.matrix(gemm, graph.tensor({16, 4}), graph.tensor({4, 4}),
                              graph.tensor({16, 4}), {graph.tensor({4})});
  graph.fuse(op, {graph.tensor({4}), graph.tensor({4})}, graph.tensor({16, 4}), {"mul", 64});
  const TimingResult result = run(tiny_npu(), graph.mapped);
  EXPECT_EQ(result.ops.front().dram_read_bytes, 128 + 32 + 3 * 8);
  EXPECT_EQ(result.ops.front().dram_write_bytes, 128);
  EXPECT_EQ(result.vector_busy_cycles, 16);
}

TEST(TimingOps, EpilogueOfOneTileOverlapsTheNextTile) {
  HandGraph graph;
  testing::GemmCase gemm;
  gemm.m = 12;
  const int op =
      graph.matrix(gemm, graph.tensor({12, 4}), graph.tensor({4, 4}), graph.tensor({12, 4}));
  graph.fuse(op, {}, graph.tensor({12, 4}), {"max", 48});
  // 4 + 3 * 14, then only the last tile's 4 vector cycles and 2 of storing are exposed
  EXPECT_EQ(run(tiny_npu(), graph.mapped).cycles, 4 + 42 + 4 + 2);
}

TEST(TimingOps, EpilogueWaitsForAFreeResultBuffer) {
  HandGraph graph;
  testing::GemmCase gemm;
  gemm.m = 12;
  gemm.k = gemm.tile_k = 1;
  const int op =
      graph.matrix(gemm, graph.tensor({12, 1}), graph.tensor({4, 1}), graph.tensor({12, 4}));
  graph.fuse(op, {}, graph.tensor({12, 4}), {"max", 48});
  NpuSpec npu = tiny_npu();
  npu.dram.bandwidth_bytes_per_cycle = 1.0;
  npu.scratchpad.buffers = 1;
  // operands 0..16, array 16..30, vector 30..34, second operand 30..38, first result 38..70,
  // array 38..52, then the buffer is full until 70: vector 70..74; third operand 70..78, second
  // result 78..110, vector 110..114, third result 114..146
  EXPECT_EQ(run(npu, graph.mapped).cycles, 146);
}

TEST(TimingOps, VectorOpIsCutIntoTilesOfOneScratchpadBuffer) {
  HandGraph graph;
  graph.vector({graph.tensor({64}), graph.tensor({64})}, graph.tensor({64}), {{"add", 64}});
  NpuSpec npu = tiny_npu();
  npu.scratchpad.bytes = 384;  // three tensors of 128 bytes: two tiles
  npu.vector_unit.startup_cycles = 1;
  const TimingResult result = run(npu, graph.mapped);
  // loads 0..8 and 8..16; vector 8..17 and 17..26 (1 + 32/4); stores 17..21 and 26..30
  EXPECT_EQ(result.cycles, 30);
  EXPECT_EQ(result.ops.front().tiles, 2);
  EXPECT_EQ(result.busy_cycles, 0);
  EXPECT_EQ(result.stall_cycles.at("load"), 16);  // before vector by priority
  EXPECT_EQ(result.stall_cycles.at("vector"), 10);
  EXPECT_EQ(result.stall_cycles.at("store"), 4);
  EXPECT_EQ(result.bound, "memory");  // 24 cycles of transfers, 18 of vector work
  testing::expect_every_cycle_has_a_cause(result);
}

TEST(TimingOps, AnInputReadTwiceIsLoadedOnce) {
  HandGraph graph;
  const auto x = graph.tensor({64});
  graph.vector({x, x}, graph.tensor({64}), {{"mul", 64}});
  EXPECT_EQ(run(tiny_npu(), graph.mapped).dram_bytes, 256);
}

TEST(TimingOps, WaitingCyclesAreChargedToTheOpThatCausesThem) {
  HandGraph graph;
  const auto a = graph.tensor({4, 4});
  const auto b = graph.tensor({4, 4});
  graph.matrix({}, graph.tensor({4, 4}), graph.tensor({4, 4}), a);
  graph.vector({a}, b, {{"exp", 16}});
  graph.matrix({}, b, graph.tensor({4, 4}), graph.tensor({4, 4}));
  const TimingResult result = run(tiny_npu(), graph.mapped);
  // 0..4 loads, 4..18 array, 18..20 store, 20..22 load, 22..38 vector (16*4/4), 38..40 store,
  // 40..42 load, 42..56 array, 56..58 store. The third op's weights load at 22..24, behind the
  // vector op's input in the same queue; load comes before vector by priority.
  EXPECT_EQ(result.cycles, 58);
  EXPECT_EQ(result.ops[0].stall_cycles.at("store"), 2);
  EXPECT_EQ(result.ops[1].stall_cycles.at("load"), 2);
  EXPECT_EQ(result.ops[1].stall_cycles.at("vector"), 14);
  EXPECT_EQ(result.ops[1].stall_cycles.at("store"), 2);
  EXPECT_EQ(result.ops[2].stall_cycles.at("load"), 4);
  EXPECT_EQ(result.ops[1].bound, "vector");
  testing::expect_every_cycle_has_a_cause(result);
}

TEST(TimingOps, HostOpPaysTheLinkBothWays) {
  HandGraph graph;
  graph.host({graph.tensor({64})}, graph.tensor({64}), 64);
  const TimingResult result = run(tiny_npu(), graph.mapped);
  // 10 + 128/8 in, 64/2 of work, 10 + 128/8 out; the DRAM transfers (8 cycles) hide behind the link
  EXPECT_EQ(result.cycles, 26 + 32 + 26);
  EXPECT_EQ(result.stall_cycles.at("host"), 84);
  EXPECT_EQ(result.host_busy_cycles, 84);
  EXPECT_EQ(result.dram_bytes, 256);
  EXPECT_EQ(result.bound, "host");
  testing::expect_every_cycle_has_a_cause(result);
}

TEST(TimingOps, IndependentOpsRunBesideTheHost) {
  HandGraph graph;
  const auto from_host = graph.tensor({4, 4});
  graph.host({graph.tensor({64})}, from_host, 200);
  graph.matrix({}, graph.tensor({4, 4}), graph.tensor({4, 4}), graph.tensor({4, 4}));
  const TimingResult result = run(tiny_npu(), graph.mapped);
  EXPECT_EQ(result.cycles, 26 + 100 + 14);  // 10 + 32/8 out
  EXPECT_LT(result.ops[1].end_cycle, result.ops[0].end_cycle);
}

TEST(TimingOps, ViewsCostNothingAndPassDependenciesOn) {
  const auto chain = [](bool with_view) {
    HandGraph graph;
    const auto hidden = graph.tensor({4, 4});
    auto read = hidden;
    graph.matrix({}, graph.tensor({4, 4}), graph.tensor({4, 4}), hidden);
    if (with_view) {
      read = graph.tensor({2, 8});
      graph.view(hidden, read);
    }
    graph.matrix({}, read, graph.tensor({4, 4}), graph.tensor({4, 4}));
    return graph.mapped;
  };
  const TimingResult viewed = run(tiny_npu(), chain(true));
  // 0..4 loads, 4..18 array, 18..20 store, 20..22 load, 22..36 array, 36..38 store
  EXPECT_EQ(viewed.cycles, 38);
  EXPECT_EQ(viewed.ops[1].engine, "view");
  EXPECT_EQ(viewed.ops[1].start_cycle, viewed.ops[1].end_cycle);
  EXPECT_EQ(run(tiny_npu(), chain(false)).cycles, 38);
}

TEST(TimingOps, EmptyGraphTakesNoTime) {
  const TimingResult result = run(tiny_npu(), HandGraph().mapped);
  EXPECT_EQ(result.cycles, 0);
  EXPECT_EQ(result.bound, "none");
}

TEST(TimingOps, EnergyAddsMacsMemoriesVectorWorkAndStaticPower) {
  NpuSpec npu = tiny_npu();
  npu.energy.multiply_pj = {{"fp16", 2.0}, {"fp32", 5.0}};
  npu.energy.add_pj = {{"fp32", 3.0}};
  npu.energy.scratchpad_pj_per_byte = 0.5;
  npu.energy.accumulator_pj_per_byte = 0.25;
  npu.energy.dram_pj_per_byte = 10.0;
  npu.energy.static_watts = 2.0;
  HandGraph graph;
  const int op = graph.matrix({}, graph.tensor({4, 4}), graph.tensor({4, 4}), graph.tensor({4, 4}));
  graph.fuse(op, {}, graph.tensor({4, 4}), {"mul", 16});
  const TimingResult result = run(npu, graph.mapped);
  EXPECT_DOUBLE_EQ(result.energy.mac_mj, 64 * (2.0 + 3.0) * 1e-9);
  EXPECT_DOUBLE_EQ(result.energy.vector_mj, 16 * 5.0 * 1e-9);
  EXPECT_DOUBLE_EQ(result.energy.dram_mj, 96 * 10.0 * 1e-9);
  // scratchpad: operands 2*32 written and 2*32 read, results 32 written and 32 read; accumulators:
  // 64 bytes written, 64 drained
  EXPECT_EQ(result.sram_bytes, 192 + 128);
  EXPECT_DOUBLE_EQ(result.energy.sram_mj, (192 * 0.5 + 128 * 0.25) * 1e-9);
  EXPECT_DOUBLE_EQ(result.energy.static_mj, 2.0 * static_cast<double>(result.cycles) * 1e-9 * 1e3);
  EXPECT_DOUBLE_EQ(result.ops.front().energy_mj, result.energy.total_mj());
}

}  // namespace
}  // namespace npusim::npu
