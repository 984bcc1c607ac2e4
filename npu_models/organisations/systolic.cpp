// SPDX-License-Identifier: Apache-2.0
// Weight-stationary systolic array: R rows hold K, C columns hold N; partial sums move down one row
// in L cycles (L: latency of one accumulation). Cycles of a tile that computes without waiting for
// memory:
//
//   folds F = ceil(k/R) * ceil(n/C), preload P = R (weights enter from the top, a row a cycle,
//   along the skew of the partial sums), M = ceil(m / macs_per_pe) streamed rows, skew and drain D
//   = R*L + C - 2
//
//   neither option       F*(P + M + D)
//   fold_overlap only    F*(P + M) + D                  the next weights follow the last row
//   preload_hiding only  P + F*(M + D)                  shadow registers load behind the stream
//   both                 P + (F-1)*max(M, P) + M + D    the swap travels with the wavefront
//
// With neither and L = 1: ceil(K/R)*ceil(N/C)*(M + 2R + C - 2), the charge of SCALE-Sim (Samajdar
// et al., ISPASS 2020) for weight stationary; its printed total is one less. Every fold is charged
// in full, also where K or N does not fill it. Completion: the last result leaves the bottom of the
// last column.
#include <algorithm>

#include "npu_models/organisations/organisations.h"

namespace npusim::npu {
namespace {

class Systolic final : public Organisation {
 public:
  const std::string& name() const override {
    static const std::string text = "systolic";
    return text;
  }
  const std::string& description() const override {
    static const std::string text =
        "weight-stationary systolic array: rows hold K, cols hold N, positions stream through";
    return text;
  }
  std::int64_t pe_count(const MacArraySpec& array) const override {
    return array.rows * array.cols;
  }
  TileShape granule(const MacArraySpec& array) const override {
    return {1, array.cols, array.rows};
  }
  std::int64_t k_step(const MacArraySpec&) const override { return 1; }
  TileCycles tile_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                         std::int64_t latency_cycles, const TileShape& tile) const override;
  std::vector<precision::Chunk> chunks(const MacArraySpec& array, std::int64_t ordered_terms,
                                       const precision::Arithmetic& accumulator) const override;
  ReductionOrder default_order(const MacArraySpec&) const override { return {}; }
  std::vector<base::Diagnostic> check(const MacArraySpec& array) const override;
};

TileCycles Systolic::tile_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                                 std::int64_t latency_cycles, const TileShape& tile) const {
  const std::int64_t folds = ceil_div(tile.k, array.rows) * ceil_div(tile.n, array.cols);
  const std::int64_t preload = array.rows;
  const std::int64_t streamed = ceil_div(tile.m, macs_per_pe);
  const std::int64_t drain = array.rows * latency_cycles + array.cols - 2;
  TileCycles cycles;
  cycles.busy = folds * streamed;
  cycles.fill_drain = (array.fold_overlap ? 1 : folds) * drain;
  if (!array.preload_hiding) {
    cycles.preload = folds * preload;
  } else if (!array.fold_overlap) {
    cycles.preload = preload;
  } else {
    cycles.preload = preload + (folds - 1) * std::max<std::int64_t>(0, preload - streamed);
  }
  return cycles;
}

std::vector<precision::Chunk> Systolic::chunks(const MacArraySpec& array,
                                               std::int64_t ordered_terms,
                                               const precision::Arithmetic& accumulator) const {
  if (array.partial_sums == PartialSums::reinject_above || ordered_terms <= array.rows) return {};
  return {{array.rows, precision::Chunk::Join::add, accumulator}};
}

std::vector<base::Diagnostic> Systolic::check(const MacArraySpec& array) const {
  std::vector<base::Diagnostic> mistakes;
  if (array.depth != 1) {
    mistakes.push_back(array_mistake(
        "/depth", "a systolic element adds one product a step, not " + std::to_string(array.depth),
        "1"));
  }
  if (!array.inner_stages.empty()) {
    mistakes.push_back(array_mistake(
        "/inner_stages", "a scalar systolic chain has no block to reduce before it accumulates",
        "no inner stages, or organisation cube or dot_product"));
  }
  const precision::Stage& accumulator = array.accumulator.stage;
  if (accumulator.combine == precision::Combine::aligned) {
    mistakes.push_back(array_mistake("/accumulator/combine",
                                     "a scalar systolic chain has no block to align",
                                     "chain or exact, or organisation cube or dot_product"));
  }
  if (accumulator.step > 1 && array.rows % accumulator.step != 0) {
    mistakes.push_back(array_mistake("/accumulator/step",
                                     "rows are added in groups of " +
                                         std::to_string(accumulator.step) + ", which must divide " +
                                         std::to_string(array.rows) + " rows",
                                     "a divisor of rows"));
  }
  return mistakes;
}

}  // namespace

const Organisation& systolic() {
  static const Systolic organisation;
  return organisation;
}

}  // namespace npusim::npu
