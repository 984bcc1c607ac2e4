// SPDX-License-Identifier: Apache-2.0
// Tile enumeration, traffic in closed form and SRAM accesses, against plain loops over the tiles.
#include <gtest/gtest.h>

#include <random>
#include <tuple>
#include <vector>

#include "npu_models/gemm_traffic.h"
#include "npu_models/modules/gemm_tiles.h"
#include "npu_models/modules/share.h"
#include "npu_models/modules/sram_accesses.h"
#include "npu_models/tile_bytes.h"
#include "tests/npu_models/timing_support.h"

namespace npusim::npu::model {
namespace {

using testing::GemmCase;
using testing::mapping_of;

using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t>;  // g, m, n, k

std::vector<Key> naive_order(const GemmCase& c) {
  std::vector<Key> order;
  for (std::int64_t g = 0; g < c.groups; ++g) {
    for (std::int64_t n = 0; n < c.n; n += c.tile_n) {
      if (c.order == LoopOrder::output_resident) {
        for (std::int64_t m = 0; m < c.m; m += c.tile_m)
          for (std::int64_t k = 0; k < c.k; k += c.tile_k) order.emplace_back(g, m, n, k);
      } else {
        for (std::int64_t k = 0; k < c.k; k += c.tile_k)
          for (std::int64_t m = 0; m < c.m; m += c.tile_m) order.emplace_back(g, m, n, k);
      }
    }
  }
  return order;
}

GemmCase random_case(std::mt19937& random) {
  const auto in = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random() % static_cast<unsigned>(high - low + 1));
  };
  GemmCase c;
  c.groups = in(1, 3);
  c.m = in(1, 30);
  c.n = in(1, 30);
  c.k = in(1, 30);
  c.tile_m = in(1, c.m);
  c.tile_n = in(1, c.n);
  c.tile_k = in(1, c.k);
  c.order = in(0, 1) == 0 ? LoopOrder::output_resident : LoopOrder::weight_resident;
  c.spills = c.order == LoopOrder::weight_resident && in(0, 1) == 1;
  return c;
}

TEST(GemmTiles, OrderEdgesAndReuseFollowThePlainLoops) {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    SCOPED_TRACE(i);
    const GemmCase c = random_case(random);
    const GemmMapping mapping = mapping_of(c);
    const std::vector<Key> order = naive_order(c);
    GemmTiles tiles(mapping);
    GemmTile tile;
    for (std::size_t t = 0; t < order.size(); ++t) {
      ASSERT_TRUE(tiles.next(tile));
      const auto [g, m, n, k] = order[t];
      EXPECT_EQ(Key(tile.group0, tile.m0, tile.n0, tile.index.k * c.tile_k), order[t]);
      const std::int64_t terms = std::min(c.tile_k, c.k - k);
      EXPECT_EQ(tile.extents, (TileExtents{1, std::min(c.tile_m, c.m - m),
                                           std::min(c.tile_n, c.n - n), terms, terms}));
      const auto changes = [&](std::size_t u, bool streamed) {
        const auto [g2, m2, n2, k2] = order[u];
        return g2 != g || k2 != k || (streamed ? m2 != m : n2 != n);
      };
      EXPECT_EQ(tile.load_streamed, t == 0 || changes(t - 1, true));
      EXPECT_EQ(tile.load_stationary, t == 0 || changes(t - 1, false));
      EXPECT_EQ(tile.last_of_streamed, t + 1 == order.size() || changes(t + 1, true));
      EXPECT_EQ(tile.last_of_stationary, t + 1 == order.size() || changes(t + 1, false));
      EXPECT_EQ(tile.first_k, k == 0);
      EXPECT_EQ(tile.last_k, k + c.tile_k >= c.k);
    }
    EXPECT_FALSE(tiles.next(tile));
  }
}

TEST(GemmTraffic, ClosedFormEqualsTheSumOverTiles) {
  std::mt19937 random(2);
  for (int i = 0; i < 300; ++i) {
    SCOPED_TRACE(i);
    const GemmCase c = random_case(random);
    const GemmMapping mapping = mapping_of(c);
    std::int64_t streamed = 0, stationary = 0, spilled = 0;
    const Key* before = nullptr;
    const std::vector<Key> order = naive_order(c);
    for (const Key& key : order) {
      const auto [g, m, n, k] = key;
      const std::int64_t tm = std::min(c.tile_m, c.m - m), tn = std::min(c.tile_n, c.n - n),
                         tk = std::min(c.tile_k, c.k - k);
      const bool same_gk =
          before != nullptr && std::get<0>(*before) == g && std::get<3>(*before) == k;
      if (!same_gk || std::get<1>(*before) != m) streamed += tm * tk * 2;
      if (!same_gk || std::get<2>(*before) != n) stationary += tn * tk * 2;
      if (c.spills && k > 0) spilled += tm * tn * 4;
      before = &key;
    }
    const GemmTraffic traffic = gemm_traffic(mapping, {2, 2, 8});
    EXPECT_EQ(traffic.m_side_bytes, streamed);
    EXPECT_EQ(traffic.n_side_bytes, stationary);
    EXPECT_EQ(traffic.output_bytes, c.groups * c.m * c.n * 8);
    EXPECT_EQ(traffic.spill_read_bytes, spilled);
    EXPECT_EQ(traffic.spill_write_bytes, spilled);
  }
}

TEST(GemmTraffic, OverlappingWindowsAreReadOncePerTile) {
  // one 4x4 image of one channel under a 3x3 kernel, stride 1: 2x2 positions
  GemmCase c;
  c.m = c.tile_m = 4;
  c.n = c.tile_n = 1;
  c.k = c.tile_k = 9;
  GemmMapping mapping = mapping_of(c);
  mapping.contraction.role = workloads::GemmRole::fprop;
  mapping.contraction.dims = mapping.plan.dims = {{"C", 1}, {"R", 3}, {"S", 3}};
  workloads::Window window;
  window.in_height = window.in_width = 4;
  window.out_height = window.out_width = 2;
  window.kernel_height = window.kernel_width = 3;
  mapping.contraction.window = window;
  EXPECT_EQ(gemm_traffic(mapping, {}).m_side_bytes, 16 * 2);
  mapping.tile_m = 2;  // each output row needs three of the four rows
  EXPECT_EQ(gemm_traffic(mapping, {}).m_side_bytes, 2 * 12 * 2);
}

TEST(Share, PartsAddUpWithoutOverflow) {
  const std::int64_t total = (std::int64_t{1} << 40) - 7, whole = (std::int64_t{1} << 39) + 5;
  std::int64_t sum = 0, begin = 0;
  std::mt19937_64 random(3);
  while (begin < whole) {
    const std::int64_t end =
        std::min(whole, begin + static_cast<std::int64_t>(random() % (std::uint64_t{1} << 36)));
    sum += share_of(total, begin, end, whole);
    begin = end;
  }
  EXPECT_EQ(sum, total);
  EXPECT_EQ(share_of(64, 16, 32, 64), 16);
}

TEST(SramAccesses, FollowThePassesOfTheOrganisation) {
  // 8 x 10 x 12 tile, passes of 1 x 4 x 4 (systolic): n in 3 blocks, k in 3 passes
  const SramAccesses systolic = sram_accesses({1, 4, 4}, {{{8, 10, 12}, 1}});
  EXPECT_EQ(systolic.m_side, 8 * 12 * 3);
  EXPECT_EQ(systolic.n_side, 10 * 12);
  EXPECT_EQ(systolic.accumulator, 8 * 10 * 5);
  // cube of 4 x 4 x 4: two blocks of positions each read the stationary side
  EXPECT_EQ(sram_accesses({4, 4, 4}, {{{8, 10, 12}, 1}}).n_side, 10 * 12 * 2);
  // two arrays with a position each read all of the stationary side
  const SramAccesses two = sram_accesses({1, 4, 4}, {{{1, 10, 12}, 2}});
  EXPECT_EQ(two.n_side, 10 * 12 * 2);
  EXPECT_EQ(two.m_side, 2 * 12 * 3);
  EXPECT_EQ(two.sums, 2 * 10);
}

}  // namespace
}  // namespace npusim::npu::model
