// SPDX-License-Identifier: Apache-2.0
// Matrix ops on the tile model. Expected cycles are worked by hand in the comments: intervals are
// [begin, end) in cycles, transfers of the tiny NPU's 4x4 fp16 tiles are 32 bytes.
#include <gtest/gtest.h>

#include "tests/npu_models/timing_support.h"

namespace npusim::npu {
namespace {

using testing::GemmCase;
using testing::HandGraph;
using testing::run;
using testing::single_gemm;
using testing::tiny_npu;

NpuSpec slow_memory(std::int64_t latency_cycles) {
  NpuSpec npu = tiny_npu();
  npu.dram.bandwidth_bytes_per_cycle = 1.0;
  npu.dram.latency_cycles = latency_cycles;
  return npu;
}

TEST(TimingGemm, MemoryBoundTileTakesBytesOverBandwidthPlusLatency) {
  // stationary 10..42, streamed 42..74 (its latency passes meanwhile), array 74..88 = 4+4+6,
  // result requested at 88, moves 98..130
  const TimingResult result = run(slow_memory(10), single_gemm({}));
  EXPECT_EQ(result.cycles, 130);
  EXPECT_EQ(result.busy_cycles, 4);
  EXPECT_EQ(result.stall_cycles.at("preload"), 4);
  EXPECT_EQ(result.stall_cycles.at("fill_drain"), 6);
  EXPECT_EQ(result.stall_cycles.at("load"), 64);
  EXPECT_EQ(result.stall_cycles.at("store"), 32);
  EXPECT_EQ(result.stall_cycles.at("launch"), 20);
  EXPECT_EQ(result.dram_bytes, 96);
  EXPECT_EQ(result.dma_busy_cycles, 96);
  EXPECT_EQ(result.bound, "memory");
  testing::expect_every_cycle_has_a_cause(result);
}

TEST(TimingGemm, DoubleBufferingHidesLoadsBehindTheArray) {
  GemmCase gemm;
  gemm.m = 12;
  // stationary 0..2, streamed 2..4, then three tiles of 14 back to back, last result 46..48
  NpuSpec npu = tiny_npu();
  const TimingResult two = run(npu, single_gemm(gemm));
  EXPECT_EQ(two.cycles, 48);
  EXPECT_EQ(two.ops.front().tiles, 3);
  EXPECT_EQ(two.bound, "compute");
  npu.scratchpad.buffers = 1;
  EXPECT_GT(run(npu, single_gemm(gemm)).cycles, 48);
}

TEST(TimingGemm, MemoryBoundTilesKeepTheBusBusy) {
  GemmCase gemm;
  gemm.m = 12;
  // one stationary, three streamed and three result tiles of 32 bytes at one byte a cycle, no gap
  EXPECT_EQ(run(slow_memory(0), single_gemm(gemm)).cycles, 7 * 32);
}

TEST(TimingGemm, WeightsOfTheNextOpLoadWhileThisOneComputes) {
  HandGraph graph;
  const auto hidden = graph.tensor({4, 4});
  graph.matrix({}, graph.tensor({4, 4}), graph.tensor({4, 4}), hidden);
  graph.matrix({}, hidden, graph.tensor({4, 4}), graph.tensor({4, 4}));
  // loads 0..32 and 32..64, array 64..78, next weights 64..96, result 96..128, read back 128..160,
  // array 160..174, result 174..206. Without prefetch the weights would come after 128.
  NpuSpec npu = slow_memory(0);
  EXPECT_EQ(run(npu, graph.mapped).cycles, 206);
  npu.launch_cycles = 5;  // the second launch hides behind the first op
  EXPECT_EQ(run(npu, graph.mapped).cycles, 211);
}

TEST(TimingGemm, LaunchIsExposedWhenEachOpWaitsForIt) {
  NpuSpec npu = tiny_npu();
  npu.launch_cycles = 100;
  HandGraph graph;
  for (int i = 0; i < 3; ++i) {
    graph.matrix({}, graph.tensor({4, 4}), graph.tensor({4, 4}), graph.tensor({4, 4}));
  }
  // third op launched at 300, then 2 + 2 + 14 + 2
  const TimingResult result = run(npu, graph.mapped);
  EXPECT_EQ(result.cycles, 320);
  testing::expect_every_cycle_has_a_cause(result);
}

TEST(TimingGemm, SpilledPartialSumsGoToMemoryAndBack) {
  GemmCase gemm;
  gemm.m = 8;
  gemm.k = 8;
  gemm.order = LoopOrder::weight_resident;
  gemm.spills = true;
  const TimingResult result = run(slow_memory(0), single_gemm(gemm));
  // streamed 8*8*2, stationary 4*8*2, partial sums 8*4*4 out and in, results 8*4*2
  EXPECT_EQ(result.dram_bytes, 128 + 64 + 128 + 128 + 64);
  EXPECT_EQ(result.ops.front().spill_bytes, 256);
  EXPECT_EQ(result.ops.front().dram_read_bytes, 128 + 64 + 128);
  EXPECT_GT(result.stall_cycles.at("spill"), 0);
  testing::expect_every_cycle_has_a_cause(result);
}

TEST(TimingGemm, PartialSumsAreReadBackAfterTheyWereWritten) {
  GemmCase gemm;
  gemm.k = 8;
  gemm.order = LoopOrder::weight_resident;
  gemm.spills = true;
  // 0..4 loads, 4..18 array (the next operands load meanwhile), 18..22 out, 22..26
  // in, 26..40, 40..42
  EXPECT_EQ(run(tiny_npu(), single_gemm(gemm)).cycles, 42);
}

// Sums that stay in accumulator memory are written, read and drained as often whatever tiles K is
// cut in: only the passes count.
TEST(TimingGemm, CutsOfKLeaveNoTraceInAccumulatorTraffic) {
  GemmCase gemm;
  gemm.m = 8;
  gemm.tile_m = 8;
  gemm.k = gemm.tile_k = 16;
  const OpTiming whole = run(tiny_npu(), single_gemm(gemm)).ops.front();
  gemm.tile_k = 4;
  const OpTiming cut = run(tiny_npu(), single_gemm(gemm)).ops.front();
  EXPECT_EQ(cut.tiles, 4);
  // four passes: written once, read and written by three, drained once, 4 bytes each; operands
  // 8*16 and 4*16 of 2 bytes and results 8*4*2, once into and once out of the scratchpad
  const std::int64_t sums = 8 * 4 * (1 + 2 * 3 + 1) * 4;
  const std::int64_t scratchpad = 2 * ((8 * 16 + 4 * 16) * 2 + 8 * 4 * 2);
  EXPECT_EQ(whole.sram_bytes, sums + scratchpad);
  EXPECT_EQ(cut.sram_bytes, sums + scratchpad);
}

TEST(TimingGemm, SpillFormatSetsTheSpilledBytes) {
  GemmCase gemm;
  gemm.m = 8;
  gemm.k = 8;
  gemm.order = LoopOrder::weight_resident;
  gemm.spills = true;
  MappedGraph mapped = single_gemm(gemm);
  mapped.ops.front().gemm->plan.chunks = {
      {4, precision::Chunk::Join::carry, {precision::fp16(), precision::Rounding::rne}}};
  EXPECT_EQ(run(tiny_npu(), mapped).ops.front().spill_bytes, 128);
}

TEST(TimingGemm, FullAccumulatorMemoryMakesTheArrayWaitForTheDrain) {
  GemmCase gemm;
  gemm.m = 12;
  NpuSpec npu = tiny_npu();
  npu.mac_array.accumulator.memory_bytes = 4 * 4 * 4;  // one tile
  // as with double buffering, but each tile waits 2 cycles for the result of the one before
  EXPECT_EQ(run(npu, single_gemm(gemm)).cycles, 48 + 2 + 2);
}

TEST(TimingGemm, UnevenSplitOverArraysIsIdleTime) {
  GemmCase gemm;
  gemm.m = gemm.tile_m = 5;
  gemm.split.m = 2;
  NpuSpec npu = tiny_npu();
  npu.mac_array.arrays = 2;
  const TimingResult result = run(npu, single_gemm(gemm));
  // shares of 3 and 2 positions: 13 and 12 cycles
  EXPECT_EQ(result.arrays, 2);
  EXPECT_EQ(result.busy_cycles, 5);
  EXPECT_EQ(result.stall_cycles.at("idle"), 1);
  EXPECT_EQ(result.stall_cycles.at("preload"), 8);
  EXPECT_EQ(result.stall_cycles.at("fill_drain"), 12);
  testing::expect_every_cycle_has_a_cause(result);
}

TEST(TimingGemm, MappingThatDoesNotFitAccumulatorMemoryIsRefused) {
  NpuSpec npu = tiny_npu();
  npu.mac_array.accumulator.memory_bytes = 4 * 4 * 4 - 1;
  try {
    run(npu, single_gemm({}));
    FAIL() << "accepted";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("n0"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace npusim::npu
