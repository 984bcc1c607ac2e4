// SPDX-License-Identifier: Apache-2.0
// Cycles and traffic of operands in another form, worked by hand.
#include <gtest/gtest.h>

#include "npu_models/modules/op_program.h"
#include "tests/npu_models/timing_support.h"

namespace npusim::npu {
namespace {

using testing::GemmCase;
using testing::HandGraph;
using testing::run;
using testing::single_gemm;
using testing::tiny_npu;
using Counts = std::map<std::string, std::int64_t>;

NpuSpec copying_npu() {
  NpuSpec npu = tiny_npu();
  npu.vector_unit.cycles_per_element["copy"] = 1.0;
  return npu;
}

TEST(TimingLayout, AMatrixIsMadeInDramBeforeItsProductLoadsIt) {
  MappedGraph mapped = single_gemm({});
  mapped.ops.front().rearrangement = Rearrangement{Rearrangement::Kind::im2col, 16, 32, 16};
  // image 0..1, 16 copies by 4 lanes 1..5, matrix written 5..7; weights 1..3, matrix 7..9, array
  // 9..23, result 23..25
  const TimingResult result = run(copying_npu(), mapped);
  EXPECT_EQ(result.cycles, 25);
  EXPECT_EQ(result.stall_cycles.at("load"), 3 + 2);
  EXPECT_EQ(result.stall_cycles.at("vector"), 2);
  EXPECT_EQ(result.stall_cycles.at("store"), 2 + 2);
  EXPECT_EQ(result.dram_bytes, 3 * 32 + 16 + 32);
  EXPECT_EQ(result.vector_busy_cycles, 4);
  EXPECT_EQ(result.ops.front().rearranging,
            (Counts{{"im2col_dram_bytes", 48}, {"im2col_vector_cycles", 4}}));
  testing::expect_every_cycle_has_a_cause(result);
  EXPECT_TRUE(run(copying_npu(), single_gemm({})).ops.front().rearranging.empty());
}

TEST(TimingLayout, ALargeOneIsCutInTilesThatOverlap) {
  GemmCase gemm;
  gemm.m = gemm.tile_m = 64;
  MappedGraph mapped = single_gemm(gemm);
  mapped.ops.front().rearrangement =
      Rearrangement{Rearrangement::Kind::zero_insertion, 256, 512, 256};
  NpuSpec npu = copying_npu();
  npu.scratchpad.bytes = 2 * 192;
  // four tiles of 64 and 128 bytes: loads 0..4, 4..8, copies 4..20, 20..36, stores 20..28, 36..44;
  // the buffers of the first two are free at 28 and 44: copies 36..52, 52..68, last store 68..76
  const TimingResult result = run(npu, mapped);
  EXPECT_EQ(result.ops.front().rearranging,
            (Counts{{"zero_insertion_dram_bytes", 768}, {"zero_insertion_vector_cycles", 64}}));
  // weights need a buffer: 52..54 at the earliest; matrix 76..108, array 4 + 64 + 6, result 32
  EXPECT_EQ(result.cycles, 76 + 32 + 74 + 32);
  testing::expect_every_cycle_has_a_cause(result);
}

TEST(TimingLayout, ATransposeByDmaMovesABurstForEachRun) {
  HandGraph graph;
  graph.vector({graph.tensor({8, 8})}, graph.tensor({8, 8}), {});
  graph.mapped.ops.front().gathered_run = 1;
  NpuSpec npu = tiny_npu();
  npu.dma = DmaSpec{1, 16, 16, 0, 0};
  npu.vector_unit.startup_cycles = 5;  // does not work
  // 64 elements, a burst of 16 bytes each, 0..64; 128 bytes in order 64..72
  const TimingResult result = run(npu, graph.mapped);
  EXPECT_EQ(result.cycles, 72);
  EXPECT_EQ(result.vector_busy_cycles, 0);
  EXPECT_EQ(result.dram_bytes, 256);
  EXPECT_EQ(result.dma_events.at("padding_bytes"), 64 * 16 - 128);
  EXPECT_EQ(result.ops.front().rearranging,
            (Counts{{"transpose_dram_bytes", 256}, {"transpose_vector_cycles", 0}}));
  testing::expect_every_cycle_has_a_cause(result);
  graph.mapped.ops.front().gathered_run = 8;  // rows of 16 bytes
  EXPECT_EQ(run(npu, graph.mapped).cycles, 16);
}

TEST(TimingLayout, AnOperandIsTransposedInDramBeforeItsProductLoadsIt) {
  MappedGraph mapped = single_gemm({});
  mapped.ops.front().transposed = {{true, false, 16, 2}};
  // operand 0..2, 16 copies by 4 lanes 2..6, written 6..8; weights 8..10, image 10..12, array
  // 12..26, result 26..28
  const TimingResult one = run(copying_npu(), mapped);
  EXPECT_EQ(one.cycles, 28);
  EXPECT_EQ(one.ops.front().rearranging, (Counts{{"transposed_operands_dram_bytes", 64},
                                                 {"transposed_operands_vector_cycles", 4}}));
  EXPECT_EQ(one.dram_bytes, 3 * 32 + 64);
  testing::expect_every_cycle_has_a_cause(one);
  mapped.ops.front().transposed = {{false, false, 16, 2}, {true, false, 16, 2}};
  // the other operand 2..4, copies 6..10, written 10..12; weights 12..14, image 14..16
  const TimingResult both = run(copying_npu(), mapped);
  EXPECT_EQ(both.cycles, 32);
  EXPECT_EQ(both.ops.front().rearranging, (Counts{{"transposed_operands_dram_bytes", 128},
                                                  {"transposed_operands_vector_cycles", 8}}));
  testing::expect_every_cycle_has_a_cause(both);
}

TEST(TimingLayout, EachFormBeginsWhereATensorMay) {
  MappedGraph mapped = single_gemm({});
  mapped.ops.front().transposed = {{false, false, 16, 2}, {true, false, 16, 2}};
  NpuSpec npu = copying_npu();
  npu.dram.timing.emplace();
  npu.dram.timing->row_bytes = 64;
  // operands, result and both forms, 32 bytes each, in five rows, each of a bank of its own
  EXPECT_EQ(run(npu, mapped).dram_events.at("row_misses"), 5);
}

TEST(TimingLayout, ADmaThatTransposesMovesABurstForEachElementOfAnOperand) {
  MappedGraph mapped = single_gemm({});
  mapped.ops.front().transposed = {{false, true, 16, 2}};
  NpuSpec npu = tiny_npu();
  npu.dma = DmaSpec{1, 16, 16, 0, 0};
  // weights 0..2, 16 bursts of 16 bytes 2..18, array 18..32, result 32..34
  const TimingResult result = run(npu, mapped);
  EXPECT_EQ(result.cycles, 34);
  EXPECT_EQ(result.dram_bytes, 3 * 32);
  EXPECT_EQ(result.dma_events.at("padding_bytes"), 16 * 16 - 32);
  EXPECT_EQ(result.ops.front().rearranging, (Counts{{"transposed_operands_dram_bytes", 32},
                                                    {"transposed_operands_vector_cycles", 0}}));
  testing::expect_every_cycle_has_a_cause(result);
}

TEST(TimingLayout, AChangeOfTheOrderOfChannelsIsListedWithItsPadding) {
  HandGraph graph;
  const auto image = graph.tensor({1, 3, 2, 2}), blocked = graph.tensor({1, 3, 2, 2});
  graph.vector({image}, blocked, {{"copy", 16}});
  graph.mapped.ops.front().changes_order = true;
  graph.mapped.padded_elements[blocked] = 16;  // blocks of four channels
  // 24 bytes 0..1.5, 16 copies by 4 lanes 2..6, 32 bytes 6..8
  const TimingResult result = run(copying_npu(), graph.mapped);
  EXPECT_EQ(result.cycles, 8);
  EXPECT_EQ(result.ops.front().rearranging,
            (Counts{{"channel_order_dram_bytes", 24 + 32}, {"channel_order_vector_cycles", 4}}));
  testing::expect_every_cycle_has_a_cause(result);
}

TEST(TensorAddresses, AViewOfSeveralTensorsPassesEachOn) {
  HandGraph graph;
  const auto a = graph.tensor({8}), b = graph.tensor({4, 4});
  const auto to_a = graph.tensor({8}), to_b = graph.tensor({4, 4}), part = graph.tensor({2});
  const int op = graph.view(a, to_a);
  const int index = graph.mapped.ops[static_cast<std::size_t>(op)].node;
  workloads::Node& node = graph.mapped.graph.nodes[static_cast<std::size_t>(index)];
  node.inputs = {a, b, workloads::kNoTensor};
  node.outputs = {to_a, to_b, part};
  const model::TensorLayout layout(graph.mapped);
  EXPECT_EQ(layout.root(to_a), a);
  EXPECT_EQ(layout.root(to_b), b);
  EXPECT_EQ(layout.root(part), a);
}

}  // namespace
}  // namespace npusim::npu
