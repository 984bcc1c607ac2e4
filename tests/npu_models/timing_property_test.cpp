// SPDX-License-Identifier: Apache-2.0
// Properties of the tile model over random shapes and graphs. The seed of a failing case is
// printed.
#include <gtest/gtest.h>

#include <algorithm>

#include "npu_models/organisation.h"
#include "tests/npu_models/random.h"
#include "tests/npu_models/timing_support.h"

namespace npusim::npu {
namespace {

using testing::GemmCase;
using testing::HandGraph;
using testing::Random;
using testing::run_all;
using testing::single_gemm;
using testing::tiny_npu;

GemmCase random_gemm(Random& random) {
  GemmCase gemm;
  gemm.m = random.in(1, 40);
  gemm.n = random.in(1, 20);
  gemm.k = random.in(1, 30);
  gemm.groups = random.in(1, 3);
  gemm.tile_m = random.in(1, gemm.m);
  gemm.tile_n = random.in(1, gemm.n);
  gemm.tile_k = random.in(1, gemm.k);
  if (random.in(0, 1) == 1) {
    gemm.order = LoopOrder::weight_resident;
    gemm.spills = random.in(0, 1) == 1 && gemm.tile_k < gemm.k;
  }
  return gemm;
}

/// Tile cycles one after the other, from plain loops.
std::int64_t sum_of_tile_cycles(const NpuSpec& npu, const GemmCase& g) {
  const Organisation& organisation = *find_organisation(npu.mac_array.organisation);
  std::int64_t sum = 0;
  for (std::int64_t m = 0; m < g.m; m += g.tile_m) {
    for (std::int64_t n = 0; n < g.n; n += g.tile_n) {
      for (std::int64_t k = 0; k < g.k; k += g.tile_k) {
        const TileShape tile{(std::min(g.tile_m, g.m - m) + g.split.m - 1) / g.split.m,
                             std::min(g.tile_n, g.n - n), std::min(g.tile_k, g.k - k)};
        sum += organisation.tile_cycles(npu.mac_array, 1, 1, tile).total();
      }
    }
  }
  return sum * g.groups;
}

TEST(TimingProperty, ComputeBoundGemmTakesItsTileCycles) {
  for (const std::int64_t arrays : {1, 3}) {
    NpuSpec npu = tiny_npu();
    npu.dram.bandwidth_bytes_per_cycle = 1e15;
    npu.launch_cycles = 7;
    npu.mac_array.arrays = arrays;
    Random random(20 + static_cast<unsigned>(arrays));
    std::vector<GemmCase> cases;
    std::vector<MappedGraph> graphs;
    for (int i = 0; i < 60; ++i) {
      cases.push_back(random_gemm(random));
      cases.back().split.m = arrays;
      graphs.push_back(single_gemm(cases.back()));
    }
    const std::vector<TimingResult> results = run_all(npu, graphs);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      SCOPED_TRACE("case " + std::to_string(i) + ", arrays " + std::to_string(arrays));
      EXPECT_EQ(results[i].cycles, 7 + sum_of_tile_cycles(npu, cases[i]));
      testing::expect_every_cycle_has_a_cause(results[i]);
    }
  }
}

TEST(TimingProperty, SimulatedBytesEqualTheClosedForm) {
  Random random(5);
  std::vector<MappedGraph> graphs;
  for (int i = 0; i < 100; ++i) graphs.push_back(single_gemm(random_gemm(random)));
  const std::vector<TimingResult> results = run_all(tiny_npu(), graphs);
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    SCOPED_TRACE("case " + std::to_string(i));
    const GemmTraffic traffic = gemm_traffic(*graphs[i].ops.front().gemm, {});
    const OpTiming& op = results[i].ops.front();
    EXPECT_EQ(op.dram_read_bytes, traffic.read_bytes());
    EXPECT_EQ(op.dram_write_bytes, traffic.write_bytes());
    EXPECT_EQ(op.spill_bytes, traffic.spill_read_bytes + traffic.spill_write_bytes);
    testing::expect_every_cycle_has_a_cause(results[i]);
  }
}

std::int64_t count(const std::vector<workloads::TensorId>& list) {
  return static_cast<std::int64_t>(list.size());
}

/// A chain of ops on all engines, sometimes reading a tensor from further back.
MappedGraph random_graph(Random& random, std::int64_t arrays = 1) {
  HandGraph graph;
  std::vector<workloads::TensorId> ready = {graph.tensor({8, 8})};
  const std::int64_t ops = random.in(1, 12);
  for (std::int64_t i = 0; i < ops; ++i) {
    const auto back = static_cast<std::size_t>(
        random.in(std::max<std::int64_t>(0, count(ready) - 3), count(ready) - 1));
    const auto input = ready[back];
    const auto out = graph.tensor({8, 8});
    GemmCase gemm = random_gemm(random);
    gemm.groups = 1;
    gemm.m = gemm.n = gemm.k = 8;
    gemm.tile_m = random.in(1, 8);
    gemm.tile_n = random.in(1, 8);
    gemm.tile_k = random.in(1, 8);
    gemm.split.n = arrays;
    switch (random.in(0, 4)) {
      case 0:
      case 1: {
        const int op = graph.matrix(gemm, input, graph.tensor({8, 8}), out);
        if (random.in(0, 1) == 1) {
          const auto fused = graph.tensor({8, 8});
          graph.fuse(op, {ready.front()}, fused, {"add", 64});
          ready.push_back(fused);
          continue;
        }
        break;
      }
      case 2:
        graph.vector({input, ready.front()}, out, {{"exp", 64}, {"add", 64}});
        break;
      case 3:
        graph.host({input}, out, random.in(0, 100));
        break;
      default:
        graph.view(input, out);
    }
    ready.push_back(out);
  }
  return graph.mapped;
}

TEST(TimingProperty, EveryArrayCycleOfARandomGraphHasOneCause) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    NpuSpec npu = tiny_npu();
    npu.dram.bandwidth_bytes_per_cycle = static_cast<double>(random.in(1, 40)) / 3.0;
    npu.dram.latency_cycles = random.in(0, 30);
    npu.launch_cycles = random.in(0, 20);
    npu.scratchpad = {random.in(400, 2000), random.in(1, 3)};
    npu.mac_array.arrays = random.in(1, 3);
    npu.mac_array.accumulator.memory_bytes = random.in(256, 600);
    npu.vector_unit.startup_cycles = random.in(0, 5);
    const MappedGraph graph = random_graph(random, npu.mac_array.arrays);
    const std::vector<TimingResult> twice = run_all(npu, {graph, graph});
    testing::expect_every_cycle_has_a_cause(twice[0]);
    EXPECT_EQ(serialize(twice[0]), serialize(twice[1]));
    for (const OpTiming& op : twice[0].ops) {
      EXPECT_LE(op.start_cycle, op.end_cycle);
      EXPECT_LE(op.end_cycle, twice[0].cycles);
    }
  }
}

TEST(TimingProperty, MoreBandwidthOrBuffersNeverMoveMoreBytes) {
  Random random(77);
  const MappedGraph graph = random_graph(random);
  NpuSpec npu = tiny_npu();
  const TimingResult base = run_all(npu, {graph}).front();
  npu.dram.bandwidth_bytes_per_cycle = 1.5;
  npu.scratchpad.buffers = 3;
  EXPECT_EQ(run_all(npu, {graph}).front().dram_bytes, base.dram_bytes);
}

TEST(TimingText, RoundTripIsExact) {
  Random random(3);
  const TimingResult result = run_all(tiny_npu(), {random_graph(random)}).front();
  const std::string text = serialize(result);
  EXPECT_EQ(serialize(parse_timing(text)), text);
  EXPECT_EQ(parse_timing(text).energy.total_mj(), result.energy.total_mj());
  EXPECT_EQ(parse_timing(text).ops.size(), result.ops.size());
  EXPECT_EQ(parse_timing(text).ops.back().stall_cycles, result.ops.back().stall_cycles);
}

}  // namespace
}  // namespace npusim::npu
