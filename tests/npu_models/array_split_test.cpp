// SPDX-License-Identifier: Apache-2.0
// Several arrays on one product: shares, cycles and bytes against plain loops over arrays and
// tiles, and values of clocked elements against the plan.
#include "npu_models/array_split.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "npu_models/organisation.h"
#include "npu_models/tile_bytes.h"
#include "tests/npu_models/random.h"
#include "tests/npu_models/timing_support.h"

namespace npusim::npu {
namespace {

using testing::GemmCase;
using testing::Random;
using testing::run_all;
using testing::single_gemm;
using testing::tiny_npu;

constexpr std::int64_t kArrays = 12;

/// A random product on up to 12 arrays; parts of K on whole fours, the array's rows.
GemmCase random_case(Random& random) {
  GemmCase c;
  c.groups = random.in(1, 3);
  c.m = random.in(1, 20);
  c.n = random.in(1, 20);
  c.k = random.in(1, 60);
  do {
    c.split = {random.in(1, c.groups), random.in(1, 4), random.in(1, 4), random.in(1, 4)};
    c.tile_k = 4 * random.in(1, 4);
    const std::int64_t tiles = (c.k + c.split.k * c.tile_k - 1) / (c.split.k * c.tile_k);
    if ((c.split.k - 1) * tiles * c.tile_k >= c.k) continue;  // a part without terms
    break;
  } while (true);
  while (c.split.parts() > kArrays) (c.split.m > 1 ? c.split.m : c.split.n) = 1;
  c.tile_m = random.in(1, c.m);
  c.tile_n = random.in(1, c.n);
  if (c.split.k == 1 && random.in(0, 1) == 1) c.order = LoopOrder::weight_resident;
  return c;
}

std::int64_t part_of(std::int64_t extent, std::int64_t parts, std::int64_t i) {
  return extent / parts + (i < extent % parts ? 1 : 0);
}

/// What each array takes of each tile, from plain loops: calls visit(first of the tile, shape).
template <class Visit>
void each_share(const GemmCase& c, const Visit& visit) {
  const std::int64_t tiles = (c.k + c.split.k * c.tile_k - 1) / (c.split.k * c.tile_k);
  for (std::int64_t g0 = 0; g0 < c.groups; g0 += c.split.groups)
    for (std::int64_t m0 = 0; m0 < c.m; m0 += c.tile_m)
      for (std::int64_t n0 = 0; n0 < c.n; n0 += c.tile_n)
        for (std::int64_t t = 0; t < tiles; ++t) {
          bool first = true;
          for (std::int64_t g = g0; g < std::min(c.groups, g0 + c.split.groups); ++g)
            for (std::int64_t i = 0; i < c.split.m; ++i)
              for (std::int64_t j = 0; j < c.split.n; ++j)
                for (std::int64_t l = 0; l < c.split.k; ++l) {
                  const std::int64_t k0 = (l * tiles + t) * c.tile_k;
                  visit(first, TileShape{part_of(std::min(c.tile_m, c.m - m0), c.split.m, i),
                                         part_of(std::min(c.tile_n, c.n - n0), c.split.n, j),
                                         std::clamp<std::int64_t>(c.k - k0, 0, c.tile_k)});
                  first = false;
                }
        }
}

NpuSpec twelve_arrays() {
  NpuSpec npu = tiny_npu();
  npu.mac_array.arrays = kArrays;
  return npu;
}

TEST(ArraySplit, SharesCoverTheTileOnce) {
  Random random(1);
  for (int i = 0; i < 500; ++i) {
    const ArraySplit split{random.in(1, 3), random.in(1, 5), random.in(1, 5), random.in(1, 5)};
    TileExtents tile{random.in(1, split.groups), random.in(1, 9), random.in(1, 9), random.in(1, 9),
                     0};
    tile.last_k = split.k == 1 ? tile.k : random.in(0, tile.k);
    std::int64_t products = 0, arrays = 0;
    for (const ArrayShare& share : shares_of(split, tile)) {
      products += share.arrays * share.shape.m * share.shape.n * share.shape.k;
      arrays += share.arrays;
      EXPECT_LE(share.shape.m, (tile.m + split.m - 1) / split.m);
      EXPECT_LE(share.shape.n, (tile.n + split.n - 1) / split.n);
    }
    EXPECT_EQ(products, tile.groups * tile.m * tile.n * (tile.k * (split.k - 1) + tile.last_k));
    EXPECT_LE(arrays, split.parts());
  }
}

// Closed form: the sum over tiles of what the slowest array takes; parts of K add the last
// combination, one cycle of a vector unit that is wide enough.
TEST(ArraySplit, ComputeBoundProductsTakeTheSlowestShareOfEachTile) {
  NpuSpec npu = twelve_arrays();
  npu.dram.bandwidth_bytes_per_cycle = 1e15;
  npu.vector_unit.lanes = 1'000'000;
  const Organisation& organisation = *find_organisation("systolic");
  Random random(2);
  std::vector<GemmCase> cases;
  std::vector<MappedGraph> graphs;
  for (int i = 0; i < 100; ++i) {
    cases.push_back(random_case(random));
    graphs.push_back(single_gemm(cases.back()));
  }
  const std::vector<TimingResult> results = run_all(npu, graphs);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE("case " + std::to_string(i) + ", split " + describe(cases[i].split));
    std::int64_t cycles = 0, longest = 0, busy = 0;
    each_share(cases[i], [&](bool first, const TileShape& share) {
      if (first) {
        cycles += longest;
        longest = 0;
      }
      if (share.m * share.n * share.k == 0) return;
      const TileCycles taken = organisation.tile_cycles(npu.mac_array, 1, 1, share);
      longest = std::max(longest, taken.total());
      busy += taken.busy;
    });
    cycles += longest + (cases[i].split.k > 1 ? 1 : 0);
    EXPECT_EQ(results[i].cycles, cycles);
    EXPECT_EQ(results[i].busy_cycles, busy);
    testing::expect_every_cycle_has_a_cause(results[i]);
  }
}

TEST(ArraySplit, OperandsAreLoadedOnceForAllArrays) {
  Random random(3);
  std::vector<MappedGraph> graphs;
  std::vector<GemmCase> cases;
  for (int i = 0; i < 50; ++i) {
    cases.push_back(random_case(random));
    graphs.push_back(single_gemm(cases.back()));
  }
  const std::vector<TimingResult> results = run_all(twelve_arrays(), graphs);
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    SCOPED_TRACE("case " + std::to_string(i) + ", split " + describe(cases[i].split));
    const GemmTraffic traffic = gemm_traffic(*graphs[i].ops.front().gemm, {});
    EXPECT_EQ(results[i].ops.front().dram_read_bytes, traffic.read_bytes());
    EXPECT_EQ(results[i].ops.front().dram_write_bytes, traffic.write_bytes());
    // The split of K alone moves nothing more.
    GemmCase whole = cases[i];
    whole.split.k = 1;
    whole.tile_k *= cases[i].split.k;
    EXPECT_EQ(traffic.total_bytes(), gemm_traffic(testing::mapping_of(whole), {}).total_bytes());
  }
}

// 8 outputs, K in three parts: two additions each in the vector unit's four lanes, and the sums of
// three arrays are read from their accumulator memories.
TEST(ArraySplit, PartsOfKAreCombinedByTheVectorUnit) {
  GemmCase c;
  c.m = c.tile_m = 2;
  c.n = c.tile_n = 4;
  c.k = 12;
  NpuSpec npu = tiny_npu();
  npu.mac_array.arrays = 3;
  const TimingResult whole = run_all(npu, {single_gemm(c)}).front();
  c.split.k = 3;
  const TimingResult split = run_all(npu, {single_gemm(c)}).front();
  EXPECT_EQ(whole.vector_busy_cycles, 0);
  EXPECT_EQ(split.vector_busy_cycles, 8 * 2 / 4);
  EXPECT_EQ(split.dram_bytes, whole.dram_bytes);
  EXPECT_GT(split.energy.vector_mj, 0.0);
  // Whole: written by three passes, read by two of them and once to drain. Split: written and read
  // once in each of three arrays.
  EXPECT_EQ(split.sram_bytes, whole.sram_bytes);
}

/// The plan of a split product on the 4x4 array: cuts of four rows, then parts of K.
MappedGraph planned(const GemmCase& c, const char* accumulator) {
  MappedGraph graph = single_gemm(c);
  GemmMapping& gemm = *graph.ops.front().gemm;
  const precision::Arithmetic sums{precision::format_from_name(accumulator),
                                   precision::Rounding::rne};
  gemm.unit.stages.back().arithmetic = sums;
  gemm.plan.chunks = {{4, precision::Chunk::Join::add, sums}};
  if (c.split.k > 1) gemm.plan.chunks.push_back({gemm.k_part(), precision::Chunk::Join::add, sums});
  return graph;
}

// Each array of clocked elements keeps the sums of its part of K; added up in order they must be
// the plan's, bit for bit, and take the cycles of the closed form (either ends the run otherwise).
TEST(ArraySplit, ClockedElementsGiveThePlansBits) {
  SimulationOptions options;
  options.fidelity = Fidelity::pe;
  Random random(4);
  std::vector<MappedGraph> graphs;
  for (int i = 0; i < 25; ++i) {
    GemmCase c = random_case(random);
    c.m = c.tile_m = std::min<std::int64_t>(c.m, 5);
    graphs.push_back(planned(c, i % 2 == 0 ? "fp16" : "fp32"));
  }
  EXPECT_NO_THROW(run_all(twelve_arrays(), graphs, options));
  // A plan that forgets the parts is found out.
  GemmCase c;
  c.k = 64;
  c.split.k = 4;
  MappedGraph wrong = planned(c, "fp16");
  wrong.ops.front().gemm->plan.chunks.pop_back();
  EXPECT_THROW(run_all(twelve_arrays(), {wrong}, options), std::runtime_error);
}

TEST(ArraySplit, MorePartsThanArraysAreRefused) {
  GemmCase c;
  c.split.n = 2;
  EXPECT_THROW(run_all(tiny_npu(), {single_gemm(c)}), std::runtime_error);
}

}  // namespace
}  // namespace npusim::npu
