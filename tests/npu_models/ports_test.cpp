// SPDX-License-Identifier: Apache-2.0
// Ports of accumulator memory and scratchpad: whole runs against models that step through accesses
// and cycles.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/json_value.h"
#include "base/whole_file.h"
#include "npu_models/port_limits.h"
#include "npu_models/tiling.h"
#include "tests/npu_models/random.h"
#include "tests/npu_models/support.h"
#include "tests/npu_models/timing_support.h"

namespace npusim::npu {
namespace {

using testing::GemmCase;
using testing::HandGraph;
using testing::Random;
using testing::run;
using testing::run_all;
using testing::single_gemm;
using testing::tiny_npu;

GemmCase random_gemm(Random& random) {
  GemmCase gemm;
  gemm.m = random.in(1, 40);
  gemm.n = random.in(1, 20);
  gemm.k = random.in(2, 40);
  gemm.tile_m = random.in(1, gemm.m);
  gemm.tile_n = random.in(1, gemm.n);
  gemm.tile_k = random.in(1, gemm.k);
  if (random.flip()) {
    gemm.order = LoopOrder::weight_resident;
    gemm.spills = gemm.tile_k < gemm.k;
  }
  return gemm;
}

/// Steps through every pass of a tile: each group of sums is written, and read if it was before.
std::int64_t stepped_accesses(const MacArraySpec& array, const TileShape& tile, bool resumes) {
  std::int64_t at_once_m = 1, at_once_n = array.cols, terms = array.rows;
  if (array.organisation == "cube") at_once_m = array.rows, terms = array.depth;
  if (array.organisation == "dot_product") at_once_n = array.rows, terms = array.depth;
  std::int64_t accesses = 0;
  for (std::int64_t n = 0; n < tile.n; n += at_once_n)
    for (std::int64_t k = 0; k < tile.k; k += terms)
      for (std::int64_t m = 0; m < tile.m; m += at_once_m) accesses += (k > 0 || resumes) ? 2 : 1;
  return accesses;
}

struct Expected {
  std::int64_t cycles = 0, waiting = 0;
};

template <class TileOf>
Expected over_tiles(const GemmCase& g, const TileOf& tile_of) {
  Expected sum;
  for (std::int64_t m = 0; m < g.m; m += g.tile_m)
    for (std::int64_t n = 0; n < g.n; n += g.tile_n)
      for (std::int64_t k = 0; k < g.k; k += g.tile_k) {
        const Expected tile =
            tile_of(TileShape{std::min(g.tile_m, g.m - m), std::min(g.tile_n, g.n - n),
                              std::min(g.tile_k, g.k - k)},
                    k > 0);
        sum.cycles += tile.cycles;
        sum.waiting += tile.waiting;
      }
  return sum;
}

TEST(AccumulatorPorts, EveryTileTakesItsSteppedAccesses) {
  for (const char* organisation : {"systolic", "cube", "dot_product"}) {
    NpuSpec npu = tiny_npu();
    npu.dram.bandwidth_bytes_per_cycle = 1e15;
    npu.mac_array.organisation = organisation;
    if (organisation != std::string("systolic")) npu.mac_array.depth = 4;
    if (organisation == std::string("dot_product")) npu.mac_array.cols = 1;
    for (const std::int64_t ports : {1, 2}) {
      npu.mac_array.accumulator.ports = ports;
      Random random(3 + static_cast<unsigned>(ports));
      std::vector<GemmCase> cases;
      std::vector<MappedGraph> graphs;
      for (int i = 0; i < 25; ++i) {
        cases.push_back(random_gemm(random));
        graphs.push_back(single_gemm(cases.back()));
      }
      const std::vector<TimingResult> results = run_all(npu, graphs);
      for (std::size_t i = 0; i < cases.size(); ++i) {
        SCOPED_TRACE(organisation + (", case " + std::to_string(i)));
        const Expected expected = over_tiles(cases[i], [&](const TileShape& tile, bool resumes) {
          const std::int64_t closed =
              find_organisation(organisation)->tile_cycles(npu.mac_array, 1, 1, tile).total();
          const std::int64_t passing =
              (stepped_accesses(npu.mac_array, tile, resumes) + ports - 1) / ports;
          return Expected{std::max(closed, passing), std::max<std::int64_t>(0, passing - closed)};
        });
        EXPECT_EQ(results[i].cycles, expected.cycles);
        EXPECT_EQ(results[i].stall_cycles.at("accumulator_ports"), expected.waiting);
        EXPECT_EQ(results[i].stall_cycles.count("scratchpad_ports"), 0U);
        testing::expect_every_cycle_has_a_cause(results[i]);
        const ArrayCycles estimate = array_cycles_by_cause(npu, *graphs[i].ops.front().gemm);
        EXPECT_EQ(estimate.total(), expected.cycles);
        EXPECT_EQ(estimate.accumulator_ports, expected.waiting);
      }
    }
  }
}

TEST(AccumulatorPorts, OnePortHalvesTheRateOfLongSums) {
  GemmCase gemm;
  gemm.m = gemm.tile_m = 100;
  gemm.k = gemm.tile_k = 80;  // 20 passes of 4 rows
  NpuSpec npu = tiny_npu();
  npu.dram.bandwidth_bytes_per_cycle = 1e15;
  const std::int64_t unlimited = run(npu, single_gemm(gemm)).cycles;
  EXPECT_EQ(unlimited, 4 + 20 * 100 + 6);
  npu.mac_array.accumulator.ports = 2;
  EXPECT_EQ(run(npu, single_gemm(gemm)).cycles, unlimited);
  npu.mac_array.accumulator.ports = 1;
  EXPECT_EQ(run(npu, single_gemm(gemm)).cycles, 100 * (2 * 20 - 1));
  npu.mac_array.partial_sums = PartialSums::reinject_above;  // read at the top, written below
  EXPECT_EQ(run(npu, single_gemm(gemm)).cycles, 100 * (2 * 20 - 1));
}

TEST(AccumulatorPorts, BlocksThatTakeSeveralCyclesLeaveTheirSumsOnce) {
  NpuSpec npu = tiny_npu();
  npu.mac_array.organisation = "cube";
  npu.mac_array.depth = 4;
  npu.mac_array.accumulator.ports = 1;
  GemmMapping gemm = *single_gemm(GemmCase{}).ops.front().gemm;
  gemm.cycles_per_step = 3;
  precision::Stage block;
  block.terms = 4;
  block.combine = precision::Combine::tree;
  block.arithmetic = gemm.unit.accumulator();
  const TileShape share{8, 8, 64};
  const std::int64_t accesses = stepped_accesses(npu.mac_array, share, false);
  EXPECT_GT(share_cycles(npu.mac_array, gemm, share, false).total(), accesses);  // single terms
  gemm.unit.stages.insert(gemm.unit.stages.begin(), block);
  const ShareCycles slow = share_cycles(npu.mac_array, gemm, share, false);
  EXPECT_EQ(slow.total(), std::max(slow.array.total(), accesses));
}

/// Bytes that a weight-stationary array reads, pass by pass.
std::int64_t stepped_reads(const TileShape& tile) {
  std::int64_t elements = 0;
  for (std::int64_t n = 0; n < tile.n; n += 4)
    for (std::int64_t k = 0; k < tile.k; ++k)
      elements += tile.m + std::min<std::int64_t>(4, tile.n - n);  // a column of each operand
  return 2 * elements;
}

TEST(ScratchpadPorts, BuffersOfTheirOwnLimitTheArraysAlone) {
  NpuSpec npu = tiny_npu();
  npu.dram.bandwidth_bytes_per_cycle = 16.0;
  npu.scratchpad.ports = ScratchpadPorts{4, 1, 2, Banking::by_buffer};
  ASSERT_EQ(scratchpad_bytes_per_cycle(npu.scratchpad), 4);
  Random random(9);
  std::vector<GemmCase> cases;
  std::vector<MappedGraph> graphs;
  for (int i = 0; i < 25; ++i) {
    cases.push_back(random_gemm(random));
    cases.back().order = LoopOrder::output_resident;
    cases.back().spills = false;
    graphs.push_back(single_gemm(cases.back()));
  }
  const std::vector<TimingResult> results = run_all(npu, graphs);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE("case " + std::to_string(i));
    const GemmCase& g = cases[i];
    std::int64_t done = 0, estimated = 0;
    const Expected expected = over_tiles(g, [&](const TileShape& tile, bool) {
      const std::int64_t closed =
          find_organisation("systolic")->tile_cycles(npu.mac_array, 1, 1, tile).total();
      done += tile.k;
      // results of 2 bytes leave the arrays with the last terms
      const std::int64_t leaving = done % g.k == 0 ? 2 * tile.m * tile.n : 0;
      const std::int64_t passing = (stepped_reads(tile) + leaving + 3) / 4;
      estimated += std::max<std::int64_t>(0, (stepped_reads(tile) + 3) / 4 - closed);
      return Expected{std::max(closed, passing), std::max<std::int64_t>(0, passing - closed)};
    });
    EXPECT_EQ(results[i].stall_cycles.at("scratchpad_ports"), expected.waiting);
    EXPECT_EQ(array_cycles_by_cause(npu, *graphs[i].ops.front().gemm).scratchpad_ports, estimated);
    testing::expect_every_cycle_has_a_cause(results[i]);
  }
}

struct Event {
  std::int64_t begin, end, bytes;  ///< thousandths of a cycle
};

/// The events of a track of a trace.
std::vector<Event> events_of(const base::JsonValue& trace, const std::string& track) {
  std::int64_t number = -1;
  for (const base::JsonValue& event : trace.find("traceEvents")->items()) {
    const base::JsonValue* args = event.find("args");
    if (event.find("ph")->string() == "M" && event.find("name")->string() == "thread_name" &&
        args->find("name")->string().find(track) != std::string::npos)
      number = event.find("tid")->integer();
  }
  std::vector<Event> events;
  for (const base::JsonValue& event : trace.find("traceEvents")->items()) {
    if (event.find("ph")->string() != "X" || event.find("tid")->integer() != number) continue;
    const std::int64_t begin = std::llround(event.find("ts")->number() * 1e6);
    const base::JsonValue* bytes = event.find("args")->find("bytes");
    events.push_back({begin, begin + std::llround(event.find("dur")->number() * 1e6),
                      bytes == nullptr ? 0 : bytes->integer()});
  }
  return events;
}

/// Steps a tile cycle by cycle: others first, then what is left for the arrays.
std::int64_t stepped_end(const Event& tile, std::int64_t closed, std::int64_t own,
                         std::int64_t width, const std::vector<Event>& others) {
  const std::int64_t begin = tile.begin / 1000;
  for (std::int64_t end = begin + closed;; ++end) {
    std::int64_t moved = own;
    for (const Event& other : others) {
      const std::int64_t span = std::min(other.end, 1000 * end) - std::max(other.begin, tile.begin);
      const std::int64_t whole = other.end - other.begin;
      if (span > 0) moved += (other.bytes * span + whole - 1) / whole;
    }
    if (moved <= width * (end - begin)) return end;
  }
}

TEST(ScratchpadPorts, TheArraysTakeWhatDmaLeaves) {
  Random random(21);
  for (int i = 0; i < 12; ++i) {
    SCOPED_TRACE("case " + std::to_string(i));
    GemmCase gemm;
    gemm.m = 4 * random.in(6, 12);
    gemm.tile_m = 4;
    gemm.k = gemm.tile_k = 4 * random.in(1, 4);
    gemm.n = gemm.tile_n = 4 * random.in(1, 3);
    NpuSpec npu = tiny_npu();
    npu.dram.bandwidth_bytes_per_cycle = static_cast<double>(random.in(4, 12));
    npu.dram.latency_cycles = random.in(0, 5);
    const std::int64_t width = random.in(12, 24);
    npu.scratchpad.ports = ScratchpadPorts{2, 1, width, Banking::interleaved};
    npu.scratchpad.ports->banks = 1;
    SimulationOptions options;
    options.trace = ::testing::TempDir() + "npusim_ports_trace.json";
    const TimingResult result = run(npu, single_gemm(gemm), options);
    testing::expect_every_cycle_has_a_cause(result);
    const base::JsonValue trace = base::parse_json(base::read_whole_file(options.trace), "trace");
    std::vector<Event> others = events_of(trace, "load");
    const std::vector<Event> stores = events_of(trace, "store");
    others.insert(others.end(), stores.begin(), stores.end());
    const TileShape shape{4, gemm.n, gemm.k};
    const std::int64_t closed =
        find_organisation("systolic")->tile_cycles(npu.mac_array, 1, 1, shape).total();
    const std::int64_t own = stepped_reads(shape) + 2 * shape.m * shape.n;
    std::int64_t waited = 0;
    const std::vector<Event> tiles = events_of(trace, "array");
    EXPECT_EQ(static_cast<std::int64_t>(tiles.size()), gemm.m / 4);
    for (const Event& tile : tiles) {
      EXPECT_EQ(tile.end / 1000, stepped_end(tile, closed, own, width, others));
      waited += (tile.end - tile.begin) / 1000 - closed;
    }
    EXPECT_EQ(result.stall_cycles.at("scratchpad_ports"), waited);
  }
}

// With memory that never lets the arrays wait: else requests of one moment may change places.
TEST(ScratchpadPorts, WideOnesChangeNothing) {
  Random random(31);
  for (int i = 0; i < 20; ++i) {
    const MappedGraph mapped = single_gemm(random_gemm(random));
    NpuSpec npu = tiny_npu();
    npu.dram.bandwidth_bytes_per_cycle = 1e15;
    const TimingResult without = run(npu, mapped);
    npu.scratchpad.ports = ScratchpadPorts{16, 2, 1024, Banking::interleaved};
    npu.mac_array.accumulator.ports = 2;
    TimingResult with = run(npu, mapped);
    EXPECT_EQ(with.cycles, without.cycles);
    EXPECT_EQ(with.stall_cycles.at("scratchpad_ports"), 0);
    EXPECT_EQ(with.stall_cycles.at("accumulator_ports"), 0);
    with.stall_cycles.erase("scratchpad_ports");
    with.stall_cycles.erase("accumulator_ports");
    EXPECT_EQ(with.stall_cycles, without.stall_cycles);
  }
}

TEST(ScratchpadPorts, TheVectorUnitWaitsForThemToo) {
  HandGraph graph;
  graph.vector({graph.tensor({64}), graph.tensor({64})}, graph.tensor({64}), {{"add", 64}});
  NpuSpec npu = tiny_npu();
  // three tensors of 128 bytes: 16 cycles of additions, 384 bytes at 16 a cycle take 24
  npu.scratchpad.ports = ScratchpadPorts{1, 1, 16, Banking::interleaved};
  const TimingResult result = run(npu, graph.mapped);
  EXPECT_EQ(result.vector_busy_cycles, 24);
  EXPECT_EQ(result.cycles, 16 + 24 + 8);
  npu.scratchpad.ports->width_bytes = 32;
  EXPECT_EQ(run(npu, graph.mapped).cycles, 16 + 16 + 8);
}

TEST(MemoryPorts, ElementsThatCarryValuesWaitAsTilesDo) {
  GemmCase gemm;
  gemm.m = gemm.tile_m = 12;
  gemm.k = gemm.tile_k = 16;
  NpuSpec npu = tiny_npu();
  npu.mac_array.accumulator.ports = 1;
  npu.scratchpad.ports = ScratchpadPorts{1, 1, 16, Banking::interleaved};
  SimulationOptions options;
  options.fidelity = Fidelity::pe;
  MappedGraph mapped = single_gemm(gemm);
  mapped.ops.front().gemm->plan.chunks =
      find_organisation("systolic")->chunks(npu.mac_array, npu.mac_array.accumulator.arithmetic);
  const TimingResult tile = run(npu, mapped);
  EXPECT_GT(tile.stall_cycles.at("accumulator_ports") + tile.stall_cycles.at("scratchpad_ports"),
            0);
  EXPECT_EQ(run(npu, mapped, options).cycles, tile.cycles);
}

std::string mistakes_of(const std::vector<std::string>& settings,
                        const std::string& npu = "systolic128_bf16") {
  std::string text;
  try {
    testing::load_shipped(npu, settings);
  } catch (const base::InputError& error) {
    for (const base::Diagnostic& at : error.diagnostics()) text += base::to_string(at) + "\n";
  }
  return text;
}

TEST(MemoryPorts, MistakesSayWhereAndWhatWouldFit) {
  using ::testing::AllOf;
  using ::testing::HasSubstr;
  EXPECT_EQ(mistakes_of({"scratchpad.width_bytes=1024"}), "");
  EXPECT_THAT(mistakes_of({"scratchpad.width_bytes=64", "dma={\"width_bytes\": 128}"}),
              AllOf(HasSubstr("/dma/width_bytes"), HasSubstr("128 bytes a cycle"),
                    HasSubstr("at most 64")));
  EXPECT_THAT(mistakes_of({"scratchpad.width_bytes=64"}),
              AllOf(HasSubstr("/scratchpad/width_bytes"), HasSubstr("at least 240")));
  EXPECT_THAT(mistakes_of({"scratchpad.banks=4"}), HasSubstr("ports without a width"));
  EXPECT_THAT(mistakes_of({"scratchpad.width_bytes=512", "scratchpad.banks=3",
                           "scratchpad.banking=\"by_buffer\""}),
              AllOf(HasSubstr("/scratchpad/banks"), HasSubstr("a multiple of 2")));
  EXPECT_EQ(mistakes_of({"mac_array.accumulator.ports=1"}), "");
  EXPECT_THAT(mistakes_of({"mac_array.accumulator.ports=1"}, "nvidia_v100"),
              HasSubstr("stay in its elements"));
}

}  // namespace
}  // namespace npusim::npu
