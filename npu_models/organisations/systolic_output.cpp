// SPDX-License-Identifier: Apache-2.0
// Output-stationary systolic array: R rows hold positions, C columns hold output channels, the
// terms of K stream in from the left and from the top, one element a cycle, and every element keeps
// the sums of outputs_per_pe = I outputs, which it computes in turn. The latency L of an
// accumulation limits the throughput: the sums of an element are a recurrence (recurrence.h: entry
// E and combination X) of I outputs, with partial_sums_per_output sums each.
//
//   folds F = ceil(m / (R * I * macs_per_pe)) * ceil(n/C); row r and column c start r + c later
//   skew and last addition D = R + C - 2 + L - 1 + W; drain Z: shift R*I, direct 0
//
// Named options:
//
//   drain         shift: when the last sum of a column is ready, its R*I results leave at the
//   bottom,
//                 one a cycle; direct: each result leaves its element when it is ready
//   fold_overlap  true: sums move to drain registers, and the next fold enters behind the last
//                 operand as soon as these are free; false: when the fold before is complete
//   completion    leaves_array: the last result leaves the array, with direct drain: stands in its
//                 element (W = 0); written: a cycle later it stands in accumulator memory (W = 1)
//
//   not overlapped   F*(E + X + D + Z)
//   fold_overlap     (F-1)*max(E + X, Z) + E + X + D + Z
//
// Not overlapped, direct, L = I = 1, W = 0: ceil(M/R)*ceil(N/C)*(K + R + C - 2), the charge of
// SCALE-Sim; its printed total is one less. A tile's sums start from +0; those of the tiles of K
// before it are added in accumulator memory. Every fold is charged in full.
#include <algorithm>

#include "npu_models/organisations/organisations.h"
#include "npu_models/organisations/recurrence.h"

namespace npusim::npu {

TileCycles output_stationary_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                                    std::int64_t latency_cycles, const TileShape& tile) {
  const std::int64_t outputs = array.outputs_per_pe;
  const std::int64_t folds =
      ceil_div(tile.m, array.rows * outputs * macs_per_pe) * ceil_div(tile.n, array.cols);
  const std::int64_t written = array.completion == Completion::written ? 1 : 0;
  const std::int64_t drain = array.drain == Drain::shift ? array.rows * outputs : 0;
  const std::int64_t behind = array.rows + array.cols - 2 + latency_cycles - 1 + written + drain;
  const Recurrence sums{outputs, tile.k, latency_cycles, array.partial_sums_per_output};
  const std::int64_t waiting = std::max<std::int64_t>(0, drain - sums.cycles());
  TileCycles cycles;
  cycles.busy = folds * sums.busy();
  cycles.dependency = folds * sums.dependency();
  cycles.fill_drain = array.fold_overlap ? (folds - 1) * waiting + behind : folds * behind;
  return cycles;
}

}  // namespace npusim::npu
