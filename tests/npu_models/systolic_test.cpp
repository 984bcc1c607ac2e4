// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "npu_models/organisation.h"
#include "systolic_reference.h"

namespace npusim::npu {
namespace {

MacArraySpec array_of(std::int64_t rows, std::int64_t cols, bool overlap, bool hiding) {
  MacArraySpec array;
  array.organisation = "systolic";
  array.rows = rows;
  array.cols = cols;
  array.fold_overlap = overlap;
  array.preload_hiding = hiding;
  return array;
}

TileCycles cycles_of(const MacArraySpec& array, std::int64_t latency, const TileShape& tile,
                     std::int64_t macs_per_pe = 1) {
  return find_organisation("systolic")->tile_cycles(array, macs_per_pe, latency, tile);
}

TEST(Systolic, WithoutOptionsChargesWhatScaleSimCharges) {
  // SCALE-Sim, weight stationary, 32x32, M 56*56, N 64, K 576: 18*2 folds of (3136+64+32-2) cycles.
  EXPECT_EQ(cycles_of(array_of(32, 32, false, false), 1, {3136, 64, 576}).total(), 36 * 3230);
  EXPECT_EQ(cycles_of(array_of(128, 128, false, false), 1, {1, 1, 1}).total(), 1 + 256 + 128 - 2);
}

RC_GTEST_PROP(Systolic, CyclesFollowTheScheduleOfFolds, ()) {
  const auto rows = *rc::gen::inRange<std::int64_t>(1, 300);
  const auto cols = *rc::gen::inRange<std::int64_t>(1, 300);
  const auto latency = *rc::gen::inRange<std::int64_t>(1, 9);
  const auto rate = *rc::gen::inRange<std::int64_t>(1, 5);
  const TileShape tile{*rc::gen::inRange<std::int64_t>(1, 5000),
                       *rc::gen::inRange<std::int64_t>(1, 2000),
                       *rc::gen::inRange<std::int64_t>(1, 2000)};
  const bool overlap = *rc::gen::arbitrary<bool>();
  const bool hiding = *rc::gen::arbitrary<bool>();

  // Fold after fold on a clock: when its weights are in, when its last row has entered, when it is
  // done.
  std::int64_t streamed = 0, drained = 0, stream_began = 0, preload_began = 0;
  const std::int64_t rows_in = tile.m / rate + (tile.m % rate != 0 ? 1 : 0);
  bool first = true;
  for (std::int64_t n = 0; n < tile.n; n += cols) {
    for (std::int64_t k = 0; k < tile.k; k += rows) {
      const std::int64_t free = overlap ? streamed : drained;
      preload_began = first ? 0 : (hiding ? stream_began : free);
      stream_began = first ? rows : std::max(free, preload_began + rows);
      streamed = stream_began + rows_in;
      drained = streamed + rows * latency + (cols - 2);
      first = false;
    }
  }
  const TileCycles cycles = cycles_of(array_of(rows, cols, overlap, hiding), latency, tile, rate);
  RC_ASSERT(cycles.total() == drained);
  RC_ASSERT(cycles.dependency == 0);
  RC_ASSERT(cycles.busy >= 0 && cycles.preload >= rows &&
            cycles.fill_drain >= rows * latency + cols - 2);
}

RC_GTEST_PROP(Systolic, CyclesAndValuesEqualAnArraySteppedCellByCell, ()) {
  testing::SteppedArray stepped;
  stepped.rows = *rc::gen::inRange(1, 6);
  stepped.cols = *rc::gen::inRange(1, 6);
  stepped.latency = *rc::gen::inRange(1, 4);
  stepped.fold_overlap = *rc::gen::arbitrary<bool>();
  stepped.preload_hiding = *rc::gen::arbitrary<bool>();
  const int m = *rc::gen::inRange(1, 12);
  const int n = *rc::gen::inRange(1, 12);
  const int k = *rc::gen::inRange(1, 16);
  const auto x = *rc::gen::container<std::vector<std::int64_t>>(
      static_cast<std::size_t>(m * k), rc::gen::inRange<std::int64_t>(-9, 9));
  const auto w = *rc::gen::container<std::vector<std::int64_t>>(
      static_cast<std::size_t>(k * n), rc::gen::inRange<std::int64_t>(-9, 9));
  const testing::SteppedResult result = testing::step_gemm(stepped, m, n, k, x, w);
  const MacArraySpec array =
      array_of(stepped.rows, stepped.cols, stepped.fold_overlap, stepped.preload_hiding);
  RC_ASSERT(cycles_of(array, stepped.latency, {m, n, k}).total() == result.cycles);
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      std::int64_t sum = 0;
      for (int t = 0; t < k; ++t)
        sum += x[static_cast<std::size_t>(i * k + t)] * w[static_cast<std::size_t>(t * n + j)];
      RC_ASSERT(result.values[static_cast<std::size_t>(i * n + j)] == sum);
    }
  }
}

TEST(Systolic, CutsKEveryRowsWhenSumsAreCollectedBelow) {
  const Organisation& systolic = *find_organisation("systolic");
  const precision::Arithmetic fp16{precision::fp16(), precision::Rounding::rne};
  MacArraySpec array = array_of(32, 16, true, true);
  const std::vector<precision::Chunk> cuts = systolic.chunks(array, fp16);
  ASSERT_EQ(cuts.size(), 1U);
  EXPECT_EQ(cuts[0].terms, 32);
  EXPECT_EQ(cuts[0].join, precision::Chunk::Join::add);
  EXPECT_EQ(cuts[0].arithmetic, fp16);
  array.partial_sums = PartialSums::reinject_above;
  EXPECT_TRUE(systolic.chunks(array, fp16).empty());
  array.partial_sums = PartialSums::accumulate_below;
  array.dataflow = Dataflow::input_stationary;
  EXPECT_EQ(systolic.chunks(array, fp16).size(), 1U);
  array.dataflow = Dataflow::output_stationary;
  EXPECT_TRUE(systolic.chunks(array, fp16).empty());
  EXPECT_TRUE(systolic.adds_k_tiles(array));
}

TEST(Systolic, InputsStationaryIsWeightsStationaryWithPositionsAndChannelsExchanged) {
  MacArraySpec array = array_of(8, 4, false, false);
  const std::int64_t weights = cycles_of(array, 2, {100, 30, 50}).total();
  array.dataflow = Dataflow::input_stationary;
  EXPECT_EQ(cycles_of(array, 2, {30, 100, 50}).total(), weights);
  EXPECT_EQ(find_organisation("systolic")->granule(array).m, 4);
}

TEST(Systolic, OutputStationaryPaysItsLatencyUnlessOutputsOrSumsTakeTurns) {
  MacArraySpec array = array_of(4, 3, true, true);
  array.dataflow = Dataflow::output_stationary;
  array.drain = Drain::direct;
  array.fold_overlap = false;
  // SCALE-Sim: ceil(M/R)*ceil(N/C)*(K + R + C - 2).
  EXPECT_EQ(cycles_of(array, 1, {10, 7, 50}).total(), 3 * 3 * (50 + 4 + 3 - 2));
  // An addition of 4 cycles: a term every 4 cycles.
  EXPECT_EQ(cycles_of(array, 4, {4, 3, 50}).total(), 49 * 4 + 1 + 4 + 3 - 2 + 3);
  EXPECT_EQ(cycles_of(array, 4, {4, 3, 50}).dependency, 49 * 3);
  array.outputs_per_pe = 4;  // four outputs in turn: no cycle is lost
  EXPECT_EQ(cycles_of(array, 4, {16, 3, 50}).total(), 50 * 4 + 4 + 3 - 2 + 3);
  EXPECT_EQ(cycles_of(array, 4, {16, 3, 50}).dependency, 0);
  array.outputs_per_pe = 1;
  array.partial_sums_per_output = 4;  // 52 terms, then three dependent additions of 4 cycles
  EXPECT_EQ(cycles_of(array, 4, {4, 3, 50}).total(), 52 + 3 * 4 + 4 + 3 - 2 + 3);
  array.partial_sums_per_output = 1;
  array.drain = Drain::shift;
  EXPECT_EQ(cycles_of(array, 1, {4, 3, 50}).total(), 50 + 4 + 3 - 2 + 4);
}

}  // namespace
}  // namespace npusim::npu
