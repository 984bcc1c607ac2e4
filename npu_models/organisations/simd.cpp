// SPDX-License-Identifier: Apache-2.0
// SIMD array: rows x cols lanes behind one instruction stream; in a cycle every lane multiplies
// `depth` terms of one position with those of one output channel and adds them to a sum in its own
// registers. A position's operand is broadcast to the lanes of its row, a channel's to its column.
// A lane computes outputs_per_pe = I outputs in turn (accumulator registers); its sums are a
// recurrence (recurrence.h: entry E, combination X) over S = ceil(k/depth) steps:
//
//   blocks B = ceil(m / (rows * I * macs_per_pe)) * ceil(n/cols)
//   pipeline Q = L for depth 1 (a fused multiply-add), else 1 + ceil(log2(depth)) + L
//
//   total = B*(E + X) + Q - 1
//   busy = B*S*I, dependency = B*(E + X - S*I), fill_drain = Q - 1
//
// Blocks at the edge are charged in full. Loads of operands into registers issue beside the
// multiply-adds and are not modelled. Completion: the last sum stands in its register.
#include "npu_models/organisations/block_unit.h"
#include "npu_models/organisations/recurrence.h"

namespace npusim::npu {
namespace {

class Simd final : public BlockUnit {
 public:
  Simd()
      : BlockUnit("simd",
                  "SIMD array: rows x cols lanes, each adds depth terms a cycle to a sum in its "
                  "registers") {}
  TileShape granule(const MacArraySpec& array) const override {
    return {array.rows * array.outputs_per_pe, array.cols,
            array.depth * array.partial_sums_per_output};
  }
  TileCycles tile_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                         std::int64_t latency_cycles, const TileShape& tile) const override;
  ReductionOrder default_order(const MacArraySpec&) const override { return {}; }
};

TileCycles Simd::tile_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                             std::int64_t latency_cycles, const TileShape& tile) const {
  const std::int64_t outputs = array.outputs_per_pe;
  const std::int64_t blocks =
      ceil_div(tile.m, array.rows * outputs * macs_per_pe) * ceil_div(tile.n, array.cols);
  const Recurrence sums{outputs, ceil_div(tile.k, array.depth), latency_cycles,
                        array.partial_sums_per_output};
  const std::int64_t pipeline =
      array.depth == 1 ? latency_cycles : block_pipeline_cycles(array.depth, latency_cycles);
  TileCycles cycles;
  cycles.busy = blocks * sums.busy();
  cycles.dependency = blocks * sums.dependency();
  cycles.fill_drain = pipeline - 1;
  return cycles;
}

}  // namespace

const Organisation& simd() {
  static const Simd organisation;
  return organisation;
}

}  // namespace npusim::npu
