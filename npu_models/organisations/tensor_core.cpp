// SPDX-License-Identifier: Apache-2.0
// Tensor-core style unit: one instruction multiplies a fragment of m x k and one of k x n terms and
// adds the products to an m x n fragment of sums in registers; the unit itself takes rows x cols
// outputs and depth terms a cycle. Registers hold the sums of fragments_in_flight fragments: these
// are computed over all of K before the next ones. Instructions issue in order, one when the unit
// is free and the sums of its fragment are there.
//
//   sub-blocks U = ceil(m' / (rows*macs_per_pe)) * ceil(n'/cols), sub-steps V = ceil(k'/depth) of
//   a fragment m' x n' x k'; fragments B = ceil(m/m') * ceil(n/n'), instructions S = ceil(k/k')
//   each an instruction takes the unit for d = (V-1)*max(U, L) + U cycles, as a cube would (L:
//   latency of one accumulation), and its first sum is there l = (V-1)*max(U, L) + L after its
//   start
//
//   of w fragments in flight: (S-1)*max(w*d, l) + w*d
//   total = sum over groups of w + Q - 1, Q = 1 + ceil(log2(depth)) + L
//   busy = B*S*U*V, fill_drain = Q - 1, dependency = the rest
//
// Several fragments in flight keep the bits. Fragments at the edge are charged in full. Loading of
// fragments into registers is not modelled.
#include <algorithm>

#include "npu_models/organisations/block_unit.h"

namespace npusim::npu {
namespace {

class TensorCore final : public BlockUnit {
 public:
  TensorCore()
      : BlockUnit("tensor_core",
                  "tensor core: instructions on fragments, rows x cols outputs of depth terms each "
                  "a cycle") {}
  TileShape granule(const MacArraySpec& array) const override {
    return {array.fragment.m, array.fragment.n, array.fragment.k};
  }
  TileCycles tile_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                         std::int64_t latency_cycles, const TileShape& tile) const override;
  ReductionOrder default_order(const MacArraySpec& array) const override {
    return channel_block_order(array.fragment.k);
  }
  std::vector<base::Diagnostic> check(const MacArraySpec& array) const override;
};

TileCycles TensorCore::tile_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                                   std::int64_t latency_cycles, const TileShape& tile) const {
  const Fragment& f = array.fragment;
  const std::int64_t blocks = ceil_div(f.m, array.rows * macs_per_pe) * ceil_div(f.n, array.cols);
  const std::int64_t chain = (ceil_div(f.k, array.depth) - 1) * std::max(blocks, latency_cycles);
  const std::int64_t instruction = chain + blocks;
  const std::int64_t ready = chain + latency_cycles;
  const std::int64_t steps = ceil_div(tile.k, f.k);
  const auto group = [&](std::int64_t fragments) {
    const std::int64_t issue = fragments * instruction;
    return (steps - 1) * std::max(issue, ready) + issue;
  };
  const std::int64_t fragments = ceil_div(tile.m, f.m) * ceil_div(tile.n, f.n);
  const std::int64_t rest = fragments % array.fragments_in_flight;
  const std::int64_t taken =
      fragments / array.fragments_in_flight * group(array.fragments_in_flight) +
      (rest > 0 ? group(rest) : 0);
  TileCycles cycles;
  cycles.busy = fragments * steps * blocks * ceil_div(f.k, array.depth);
  cycles.dependency = taken - cycles.busy;
  cycles.fill_drain = block_pipeline_cycles(array.depth, latency_cycles) - 1;
  return cycles;
}

std::vector<base::Diagnostic> TensorCore::check(const MacArraySpec& array) const {
  std::vector<base::Diagnostic> mistakes = BlockUnit::check(array);
  const auto holds = [&](const char* side, std::int64_t extent, std::int64_t unit) {
    if (extent % unit == 0) return;
    mistakes.push_back(array_mistake(std::string("/fragment/") + side,
                                     "a fragment of " + std::to_string(extent) +
                                         " does not fill whole cycles of a unit of " +
                                         std::to_string(unit),
                                     "a multiple of " + std::to_string(unit)));
  };
  holds("m", array.fragment.m, array.rows);
  holds("n", array.fragment.n, array.cols);
  holds("k", array.fragment.k, array.depth);
  return mistakes;
}

}  // namespace

const Organisation& tensor_core() {
  static const TensorCore organisation;
  return organisation;
}

}  // namespace npusim::npu
