// SPDX-License-Identifier: Apache-2.0
#include "npu_models/tiling.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "npu_models/gemm_traffic.h"
#include "npu_models/organisation.h"
#include "npu_models/organisations/organisations.h"
#include "npu_models/tile_bytes.h"

namespace npusim::npu {
namespace {

/// Splits of m tried for one (k, n): the coarsest that fits and two finer ones, which overlap
/// better.
constexpr int kFinerSplits = 5;

/// The sizes that cut `extent` into 1, 2, 3, 4, 6, 8, 12, ... even parts, in whole granules;
/// descending.
std::vector<std::int64_t> balanced_splits(std::int64_t extent, std::int64_t granule) {
  std::set<std::int64_t, std::greater<>> sizes;
  const std::int64_t most = ceil_div(extent, granule);
  const auto add = [&](std::int64_t parts) {
    const std::int64_t size = ceil_div(ceil_div(extent, parts), granule) * granule;
    sizes.insert(std::min(size, extent));
  };
  for (std::int64_t power = 1; power <= most; power *= 2) {
    add(power);
    if (power >= 2 && power + power / 2 <= most) add(power + power / 2);
  }
  add(most);
  return {sizes.begin(), sizes.end()};
}

/// Splits of m; with windows also those that end on whole rows of the image, where less is read
/// twice.
std::vector<std::int64_t> position_splits(const GemmMapping& gemm, std::int64_t granule) {
  std::vector<std::int64_t> sizes = balanced_splits(gemm.contraction.m, granule);
  if (!gemm.contraction.window) return sizes;
  const std::int64_t row = gemm.contraction.window->out_width;
  std::set<std::int64_t, std::greater<>> all(sizes.begin(), sizes.end());
  for (std::int64_t size : sizes)
    if (size > row) all.insert(size / row * row);
  return {all.begin(), all.end()};
}

class TileSearch {
 public:
  TileSearch(const NpuSpec& npu, std::int64_t element_bytes, std::int64_t output_bytes,
             GemmMapping& gemm)
      : npu_(npu),
        bytes_{element_bytes, element_bytes, output_bytes},
        buffer_bytes_(npu.scratchpad.bytes / npu.scratchpad.buffers),
        sums_(npu.mac_array.accumulator.memory_bytes / (2 * gemm.accumulator_bytes)),
        gemm_(gemm),
        best_(gemm) {}

  void run() {
    const TileShape granule =
        find_organisation(npu_.mac_array.organisation)->granule(npu_.mac_array);
    const std::vector<std::int64_t> m_sizes =
        position_splits(gemm_, granule.m * npu_.mac_array.arrays);
    for (std::int64_t k : balanced_splits(gemm_.ordered_k, granule.k))
      for (std::int64_t n : balanced_splits(gemm_.contraction.n, granule.n)) try_m(k, n, m_sizes);
    NPUSIM_CHECK(found_, "no tile of a GEMM fits the buffers of " + npu_.name);
    gemm_ = best_;
  }

 private:
  /// Estimated cost in cycles, then what makes larger tiles win.
  using Cost = std::tuple<std::int64_t, std::int64_t, std::int64_t>;

  void try_m(std::int64_t k, std::int64_t n, const std::vector<std::int64_t>& m_sizes) {
    gemm_.tile_k = k;
    gemm_.tile_n = n;
    const std::int64_t left = buffer_bytes_ - n_side_bytes(gemm_, n, 0, k, bytes_.n_side);
    int tried = 0;
    for (std::int64_t m : m_sizes) {
      gemm_.tile_m = m;
      const std::int64_t share = ceil_div(m, npu_.mac_array.arrays);
      if (share * n > sums_ || !streamed_fits(0, left)) continue;
      try_order(LoopOrder::output_resident, left);
      const bool one_tile = m >= gemm_.contraction.m || k >= gemm_.ordered_k;
      if (!one_tile) try_order(LoopOrder::weight_resident, left);
      if (++tried == kFinerSplits) break;
    }
  }

  /// Tiles further into an image may touch one row more than the first.
  bool all_fit(std::int64_t bytes) const {
    if (!gemm_.contraction.window) return true;
    for (std::int64_t m0 = gemm_.tile_m; m0 < gemm_.contraction.m; m0 += gemm_.tile_m)
      if (!streamed_fits(m0, bytes)) return false;
    return true;
  }

  bool streamed_fits(std::int64_t m0, std::int64_t bytes) const {
    const std::int64_t m = std::min(gemm_.tile_m, gemm_.contraction.m - m0);
    return m_side_bytes(gemm_, m0, m, 0, gemm_.tile_k, bytes_.m_side) <= bytes;
  }

  void try_order(LoopOrder order, std::int64_t left) {
    gemm_.loop_order = order;
    gemm_.spills = order == LoopOrder::weight_resident;
    const std::int64_t busy = array_cycles(npu_, gemm_);
    if (found_ && least_cost(busy) > std::get<0>(best_cost_)) return;
    if (!all_fit(left)) return;
    const Cost cost{estimate(busy), -gemm_.tile_m * gemm_.tile_n, -gemm_.tile_k};
    if (found_ && cost >= best_cost_) return;
    found_ = true;
    best_cost_ = cost;
    best_ = gemm_;
  }

  /// Below every estimate: the traffic of an image, which takes a walk over its tiles, left out.
  std::int64_t least_cost(std::int64_t busy) const {
    const workloads::Contraction& c = gemm_.contraction;
    const GemmTileCounts tiles = gemm_tile_counts(gemm_);
    const bool stays = tiles.k == 1 || gemm_.loop_order == LoopOrder::weight_resident;
    const std::int64_t loads = c.groups * (stays ? 1 : tiles.m) *
                               n_side_bytes(gemm_, c.n, 0, gemm_.ordered_k, bytes_.n_side);
    const std::int64_t moving = transfer(loads + c.groups * c.m * c.n * bytes_.output);
    return std::max(in_slots(busy, transfer(loads)), moving) + moving / 4;
  }

  /// The sum that tiling.h states, in cycles.
  std::int64_t estimate(std::int64_t busy) const {
    const GemmTraffic traffic = gemm_traffic(gemm_, bytes_);
    const std::int64_t results = gemm_.tile_m * gemm_.tile_n;
    const std::int64_t ends = m_side_bytes(gemm_, 0, gemm_.tile_m, 0, gemm_.tile_k, bytes_.m_side) +
                              n_side_bytes(gemm_, gemm_.tile_n, 0, gemm_.tile_k, bytes_.n_side) +
                              results * bytes_.output;
    const std::int64_t moving = transfer(traffic.total_bytes());
    return std::max(in_slots(busy, transfer(traffic.read_bytes())), moving) + transfer(ends) / 2 +
           results / npu_.vector_unit.lanes + moving / 4;
  }

  /// Each tile holds a buffer from the request of its operands until it is computed.
  std::int64_t in_slots(std::int64_t busy, std::int64_t loading) const {
    const std::int64_t held =
        gemm_tile_counts(gemm_).total() * npu_.dram.latency_cycles + loading + busy;
    return std::max(busy, ceil_div(held, npu_.scratchpad.buffers));
  }

  std::int64_t transfer(std::int64_t bytes) const {
    const double cycles = static_cast<double>(bytes) / npu_.dram.bandwidth_bytes_per_cycle;
    return static_cast<std::int64_t>(std::ceil(cycles));
  }

  const NpuSpec& npu_;
  const GemmElementBytes bytes_;
  const std::int64_t buffer_bytes_;
  const std::int64_t sums_;  ///< of one array and one buffer
  GemmMapping& gemm_;
  GemmMapping best_;
  Cost best_cost_{};
  bool found_ = false;
};

/// Whole tiles of a split and the rest, as (size, count).
std::vector<std::pair<std::int64_t, std::int64_t>> parts(std::int64_t extent, std::int64_t tile) {
  std::vector<std::pair<std::int64_t, std::int64_t>> sizes;
  if (extent / tile > 0) sizes.emplace_back(tile, extent / tile);
  if (extent % tile > 0) sizes.emplace_back(extent % tile, 1);
  return sizes;
}

}  // namespace

std::int64_t array_cycles(const NpuSpec& npu, const GemmMapping& gemm) {
  const MacArraySpec& array = npu.mac_array;
  const Organisation& organisation = *find_organisation(array.organisation);
  std::int64_t cycles = 0;
  for (const auto& [m, m_count] : parts(gemm.contraction.m, gemm.tile_m)) {
    for (const auto& [n, n_count] : parts(gemm.contraction.n, gemm.tile_n)) {
      for (const auto& [k, k_count] : parts(gemm.ordered_k, gemm.tile_k)) {
        const TileShape tile{ceil_div(m, array.arrays), n, k};
        cycles += m_count * n_count * k_count *
                  organisation
                      .tile_cycles(array, gemm.macs_per_pe_per_cycle,
                                   gemm.accumulator_latency_cycles, gemm.on_array(tile))
                      .total();
      }
    }
  }
  return cycles * gemm.contraction.groups;
}

void choose_tiles(const NpuSpec& npu, std::int64_t element_bytes, std::int64_t output_bytes,
                  GemmMapping& gemm) {
  TileSearch(npu, element_bytes, output_bytes, gemm).run();
}

}  // namespace npusim::npu
