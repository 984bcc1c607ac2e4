// SPDX-License-Identifier: Apache-2.0
#include "npu_models/tiling.h"

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

#include "npu_models/ceil_div.h"
#include "npu_models/gemm_split.h"
#include "npu_models/input_units.h"
#include "npu_models/mapping_cost.h"
#include "npu_models/modules/sram_accesses.h"
#include "npu_models/organisation.h"
#include "npu_models/port_limits.h"
#include "npu_models/tile_sizes.h"

namespace npusim::npu {
namespace {

/// Quick search: splits of m tried for one (k, n), the coarsest that fits and finer ones, which
/// overlap better.
constexpr int kFinerSplits = 5;
/// Quick search: ways of sharing a tile over the arrays that are searched, of those that fit.
constexpr int kSplits = 12;

using SizeSet = std::set<std::int64_t, std::greater<>>;

class TileSearch {
 public:
  TileSearch(const NpuSpec& npu, std::int64_t element_bytes, std::int64_t output_bytes,
             GemmMapping& gemm, const MappingPin* pin)
      : npu_(npu),
        pin_(pin == nullptr ? no_pin() : *pin),
        exhaustive_(npu.mapping.search == MappingSearch::exhaustive),
        cost_(npu, element_bytes, output_bytes, gemm),
        gemm_(gemm),
        best_(gemm) {}

  std::string run() {
    int tried = 0;
    for (const RankedSplit& ranked : splits()) {
      if (found_ &&
          ((!exhaustive_ && tried >= kSplits) || ranked.least_cycles > std::get<0>(best_cost_)))
        break;
      gemm_.split = ranked.split;
      try_split();
      ++tried;
    }
    if (!found_) return reason_.empty() ? why_none() : reason_;
    gemm_ = best_;
    return {};
  }

 private:
  /// Estimated cost in cycles, parts of K, then what makes larger tiles win.
  using Cost = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t>;

  static const MappingPin& no_pin() {
    static const MappingPin none;
    return none;
  }

  std::vector<RankedSplit> splits() const {
    if (pin_.split) return {{*pin_.split, 0, 0}};
    return candidate_splits(npu_, gemm_, cost_.least_memory_cycles(gemm_.contraction), exhaustive_);
  }

  Sizes sizes(std::int64_t extent, std::int64_t granule,
              const std::optional<std::int64_t>& pinned) const {
    if (pinned) return {std::min(*pinned, extent)};
    return exhaustive_ ? every_split(extent, granule) : balanced_splits(extent, granule);
  }

  /// Of an image also sizes that end on whole rows, where less is read twice.
  Sizes position_sizes() const {
    const std::int64_t m = gemm_.contraction.m;
    const std::int64_t granule = cost_.granule().m * gemm_.split.m;
    const Sizes even = sizes(m, granule, pin_.tile_m);
    if (!gemm_.contraction.window || pin_.tile_m) return even;
    SizeSet all(even.begin(), even.end());
    const std::int64_t row = gemm_.contraction.window->out_width;
    if (exhaustive_) {
      for (std::int64_t size = granule; size < m; size += granule) all.insert(size);
      for (std::int64_t size = row; size < m; size += row) all.insert(size);
    } else {
      for (std::int64_t size : even)
        if (size > row) all.insert(size / row * row);
    }
    return {all.begin(), all.end()};
  }

  /// Of one of several parts of K in whole granules, so that parts begin where granules do.
  Sizes term_sizes() const {
    const std::int64_t granule = cost_.granule().k;
    const std::int64_t part = ceil_div(gemm_.ordered_k, gemm_.split.k);
    return sizes(gemm_.split.k == 1 ? part : ceil_div(part, granule) * granule, granule,
                 pin_.tile_k);
  }

  void try_split() {
    const Sizes m_sizes = position_sizes();
    const Sizes n_sizes =
        sizes(gemm_.contraction.n, cost_.granule().n * gemm_.split.n, pin_.tile_n);
    for (const std::int64_t k : term_sizes()) {
      gemm_.tile_k = k;
      for (const std::int64_t n : n_sizes) {
        gemm_.tile_n = n;
        try_positions(m_sizes);
      }
    }
  }

  void try_positions(const Sizes& m_sizes) {
    int tried = 0;
    for (const std::int64_t m : m_sizes) {
      gemm_.tile_m = m;
      const bool parts_filled = (gemm_.split.k - 1) * gemm_.k_part() < gemm_.ordered_k;
      if (!parts_filled || !cost_.first_tile_fits(gemm_)) {
        note_refusal();
        continue;
      }
      // One tile of K or of m: both orders run the same loops. Parts of K stay in the arrays.
      const bool one_order = m >= gemm_.contraction.m || gemm_.k_tiles() == 1;
      const bool wants_weights = pin_.loop_order == LoopOrder::weight_resident;
      if (one_order || !wants_weights) try_order(LoopOrder::output_resident);
      if (!one_order && pin_.loop_order != LoopOrder::output_resident &&
          (gemm_.split.k == 1 || wants_weights))
        try_order(LoopOrder::weight_resident);
      if (!exhaustive_ && ++tried == kFinerSplits) break;
    }
  }

  /// Not even the least tile on one array.
  std::string why_none() {
    gemm_.split = {};
    gemm_.loop_order = LoopOrder::output_resident;
    gemm_.spills = false;
    gemm_.tile_m = position_sizes().back();
    gemm_.tile_n = sizes(gemm_.contraction.n, cost_.granule().n, pin_.tile_n).back();
    gemm_.tile_k = term_sizes().back();
    const std::string reason = cost_.why_not(gemm_);
    return "no tile fits the buffers" + (reason.empty()
                                             ? ""
                                             : ": in one of " + std::to_string(gemm_.tile_m) +
                                                   " x " + std::to_string(gemm_.tile_n) + " x " +
                                                   std::to_string(gemm_.tile_k) + " " + reason);
  }

  bool is_pinned() const { return pin_.fixes_tiles(); }

  /// True when what is pinned cannot run; the first reason is kept.
  bool note_refusal() {
    if (!is_pinned()) return false;
    const std::string reason = cost_.why_not(gemm_);
    if (reason_.empty()) reason_ = reason;
    return !reason.empty();
  }

  void try_order(LoopOrder order) {
    gemm_.loop_order = order;
    gemm_.spills = order == LoopOrder::weight_resident;
    if (note_refusal()) return;
    const std::int64_t busy = array_cycles(npu_, gemm_);
    if (found_ && cost_.least(gemm_, busy) > std::get<0>(best_cost_)) return;
    if (!cost_.all_tiles_fit(gemm_)) return;
    const Cost cost{cost_.estimate(gemm_, busy), gemm_.split.k, -gemm_.tile_m * gemm_.tile_n,
                    -gemm_.tile_k};
    if (found_ && cost >= best_cost_) return;
    found_ = true;
    best_cost_ = cost;
    best_ = gemm_;
  }

  const NpuSpec& npu_;
  const MappingPin& pin_;
  const bool exhaustive_;
  const MappingCost cost_;
  GemmMapping& gemm_;
  GemmMapping best_;
  Cost best_cost_{};
  bool found_ = false;
  std::string reason_;  ///< of the first pinned mapping that cannot run
};

/// Whole tiles of a split and the rest, as (size, count).
std::vector<std::pair<std::int64_t, std::int64_t>> parts(std::int64_t extent, std::int64_t tile) {
  std::vector<std::pair<std::int64_t, std::int64_t>> sizes;
  if (extent / tile > 0) sizes.emplace_back(tile, extent / tile);
  if (extent % tile > 0) sizes.emplace_back(extent % tile, 1);
  return sizes;
}

/// Calls visit(extents, count, resumes) for each kind of tile; `by_resumption`: those that add to
/// sums of a tile of K before are a kind of their own.
template <class Visit>
void for_each_tile(const GemmMapping& gemm, bool by_resumption, const Visit& visit) {
  const std::int64_t groups = gemm_tile_counts(gemm).groups;
  // With several parts of K the first one has whole tiles.
  const auto k_parts =
      gemm.split.k == 1 ? parts(gemm.ordered_k, gemm.tile_k) : parts(gemm.k_part(), gemm.tile_k);
  for (const auto& [m, m_count] : parts(gemm.contraction.m, gemm.tile_m)) {
    for (const auto& [n, n_count] : parts(gemm.contraction.n, gemm.tile_n)) {
      bool resumes = false;
      for (const auto& [k, k_count] : k_parts) {
        const TileExtents tile{gemm.split.groups, m, n, k, k};
        const std::int64_t alike = groups * m_count * n_count;
        const bool first = by_resumption && !resumes && k_count > 1;
        if (first) visit(tile, alike, false);
        visit(tile, alike * (first ? k_count - 1 : k_count), first || resumes);
        resumes = by_resumption;
      }
    }
  }
}

std::int64_t operand_reads(const NpuSpec& npu, const GemmMapping& gemm, const TileExtents& tile) {
  const TileShape granule = find_organisation(npu.mac_array.organisation)->granule(npu.mac_array);
  const model::SramAccesses accesses = model::sram_accesses(granule, shares_of(gemm.split, tile));
  std::int64_t streamed = gemm.unit.a.storage_bytes(), stationary = gemm.unit.b.storage_bytes();
  if (gemm.n_side_first) std::swap(streamed, stationary);
  const std::int64_t weights = gemm.winograd ? gemm.winograd->read_weights() : 1;
  return gemm.products() * accesses.m_side * streamed + weights * accesses.n_side * stationary;
}

}  // namespace

ArrayCycles array_cycles_by_cause(const NpuSpec& npu, const GemmMapping& gemm) {
  ArrayCycles cycles;
  const bool by_resumption = npu.mac_array.accumulator.ports > 0;
  const auto add = [&](const TileExtents& tile, std::int64_t count, bool resumes) {
    // Shares differ by one in m and n at most: the largest takes longest.
    const ShareCycles share = share_cycles(
        npu.mac_array, gemm,
        {ceil_div(tile.m, gemm.split.m), ceil_div(tile.n, gemm.split.n), tile.k}, resumes);
    cycles.array += count * share.array.total();
    cycles.accumulator_ports += count * share.accumulator_ports;
    if (npu.scratchpad.ports) {
      const std::int64_t passing =
          scratchpad_port_cycles(npu.scratchpad, operand_reads(npu, gemm, tile), 0);
      cycles.scratchpad_ports += count * std::max<std::int64_t>(0, passing - share.total());
    }
  };
  for_each_tile(gemm, by_resumption, add);
  return cycles;
}

OperandPasses operand_passes(const NpuSpec& npu, const GemmMapping& gemm) {
  const TileShape granule = find_organisation(npu.mac_array.organisation)->granule(npu.mac_array);
  // Blocks are of positions and channels: every term passes as often as one would alone.
  const ArraySplit split{gemm.split.groups, gemm.split.m, gemm.split.n, 1};
  OperandPasses passes;
  for (const auto& [m, m_count] : parts(gemm.contraction.m, gemm.tile_m))
    for (const auto& [n, n_count] : parts(gemm.contraction.n, gemm.tile_n)) {
      const model::SramAccesses accesses =
          model::sram_accesses(granule, shares_of(split, {1, m, n, 1, 1}));
      const std::int64_t alike = gemm.contraction.groups * m_count * n_count * gemm.contraction.k();
      passes.streamed += alike * accesses.m_side;
      passes.stationary += alike * accesses.n_side;
    }
  return passes;
}

std::int64_t operand_reads(const NpuSpec& npu, const GemmMapping& gemm) {
  std::int64_t bytes = 0;
  for_each_tile(gemm, false, [&](const TileExtents& tile, std::int64_t count, bool) {
    bytes += count * operand_reads(npu, gemm, tile);
  });
  return bytes;
}

std::int64_t estimated_cycles(const NpuSpec& npu, std::int64_t element_bytes,
                              std::int64_t output_bytes, const GemmMapping& gemm) {
  return MappingCost(npu, element_bytes, output_bytes, gemm)
      .estimate(gemm, array_cycles(npu, gemm));
}

std::string choose_tiles(const NpuSpec& npu, std::int64_t element_bytes, std::int64_t output_bytes,
                         GemmMapping& gemm, const MappingPin* pin) {
  return TileSearch(npu, element_bytes, output_bytes, gemm, pin).run();
}

}  // namespace npusim::npu
