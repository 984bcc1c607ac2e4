// SPDX-License-Identifier: Apache-2.0
// m x n x k cube: each cycle rows*cols outputs take depth terms each, reduced in a tree and added
// to their partial sums. Cycles of a tile that computes without waiting for memory:
//
//   blocks B = ceil(m / (rows*macs_per_pe)) * ceil(n/cols), steps S = ceil(k/depth)
//   pipeline Q = 1 + ceil(log2(depth)) + L: multipliers, tree levels, accumulation
//
// The blocks of one step run back to back: a recurrence of B outputs (recurrence.h), with L the
// latency of one accumulation and P the partial sums of an output:
//
//   total = E + X + Q - 1, for P = 1: (S-1)*max(B, L) + B + Q - 1
//   busy = S*B, dependency = E + X - S*B, fill_drain = Q - 1
//
// Blocks at the edge of m and n are charged in full. Operands are read from the scratchpad each
// step at full rate; bank conflicts are not modelled. Completion: the last sum stands in
// accumulator memory.
#include "npu_models/organisations/block_unit.h"
#include "npu_models/organisations/recurrence.h"

namespace npusim::npu {
namespace {

class Cube final : public BlockUnit {
 public:
  Cube() : BlockUnit("cube", "cube: rows x cols outputs take depth terms of K each cycle") {}
  TileShape granule(const MacArraySpec& array) const override {
    return {array.rows, array.cols, array.depth * array.partial_sums_per_output};
  }
  TileCycles tile_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                         std::int64_t latency_cycles, const TileShape& tile) const override;
  std::int64_t accumulator_accesses(const MacArraySpec& array, std::int64_t macs_per_pe,
                                    const TileShape& tile, bool resumes) const override;
};

TileCycles Cube::tile_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                             std::int64_t latency_cycles, const TileShape& tile) const {
  const std::int64_t blocks =
      ceil_div(tile.m, array.rows * macs_per_pe) * ceil_div(tile.n, array.cols);
  const Recurrence sums{blocks, ceil_div(tile.k, array.depth), latency_cycles,
                        array.partial_sums_per_output};
  TileCycles cycles;
  cycles.busy = sums.busy();
  cycles.dependency = sums.dependency();
  cycles.fill_drain = block_pipeline_cycles(array.depth, latency_cycles) - 1;
  return cycles;
}

std::int64_t Cube::accumulator_accesses(const MacArraySpec& array, std::int64_t macs_per_pe,
                                        const TileShape& tile, bool resumes) const {
  const std::int64_t blocks =
      ceil_div(tile.m, array.rows * macs_per_pe) * ceil_div(tile.n, array.cols);
  const Recurrence sums{blocks, ceil_div(tile.k, array.depth), 1, array.partial_sums_per_output};
  return accesses_of(blocks, sums.whole_steps(), array.partial_sums_per_output, resumes);
}

}  // namespace

const Organisation& cube() {
  static const Cube organisation;
  return organisation;
}

}  // namespace npusim::npu
