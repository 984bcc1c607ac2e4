// SPDX-License-Identifier: Apache-2.0
// Weight- and input-stationary systolic arrays: R rows hold K, C columns hold n (weights stay,
// positions stream) or m (inputs stay, output channels stream; read m for n below). Streamed
// operands move right a column a cycle; partial sums move down a row in L cycles (L: latency of one
// accumulation, so it lengthens the fill and never limits the stream).
//
//   folds F = ceil(k/R) * ceil(n/C), k innermost; S = ceil(m / macs_per_pe) streamed rows
//   skew and drain D = R*L + C - 2 + W: from the last streamed row to completion
//
// A fold's stationary operands enter at the top of each column, a row a cycle, and go down with the
// partial sums' delay. Named options:
//
//   preload_skew    true: column c takes them c cycles after column 0, as the stream will;
//                   false: all columns at once
//   preload_hiding  true: into shadow registers, from the cycle in which the fold before begins to
//                   stream (without skew: C-1 later); false: into the registers in use, behind the
//                   last row that uses the old ones
//   swap            wavefront: an element takes its shadow operand with the first streamed row of
//                   its fold; all_at_once: all elements in one cycle, when the last old use is over
//   fold_overlap    true: a fold streams as soon as the elements are free; false: when the fold
//                   before is complete
//   fold_gap_cycles G cycles in which nothing streams behind the last row of a fold
//   partial_sums    reinject_above: the next fold over k needs the sums of the fold before at its
//                   top: R*L + W cycles after that one began to stream
//   completion      leaves_array: the last sum leaves the bottom of the last column (W = 0);
//                   written: a cycle later it stands in accumulator memory (W = 1)
//
//   first stream after P0, then a fold every T cycles, the last one takes S + D:
//
//     no preload_hiding            P0 = R,  T = R + S + (fold_overlap ? G + (skew ? 0 : C-1) :
//     max(D, G)) preload_hiding, wavefront    P0 = R,  T = max(S + (fold_overlap ? 0 : D), R +
//     (skew ? 0 : C-1)) preload_hiding, all_at_once  P0 = (R-1)*L + (skew ? C : 1),
//                                  T = S + max(G, fold_overlap ? (R-1)*L + C - 1 : D)
//   T' = max(T, R*L + W) between folds of one n under reinject_above
//
//   total = P0 + (transitions in k)*T' + (transitions in n)*T + S + D
//
// With no option, L = 1 and W = 0: ceil(K/R)*ceil(N/C)*(M + 2R + C - 2), the charge of SCALE-Sim
// (Samajdar et al., ISPASS 2020); its printed total is one less. Every fold is charged in full,
// also where k or n does not fill it.
#include <algorithm>

#include "npu_models/organisations/organisations.h"

namespace npusim::npu {
namespace {

struct Folds {
  std::int64_t first = 0;     ///< P0
  std::int64_t interval = 0;  ///< T
  std::int64_t loading = 0;   ///< of T, spent on loading alone
};

Folds schedule_of(const MacArraySpec& a, std::int64_t latency, std::int64_t streamed,
                  std::int64_t drain) {
  const std::int64_t unskewed = a.preload_skew ? 0 : a.cols - 1;
  const std::int64_t last_use = (a.rows - 1) * latency + a.cols - 1;
  const std::int64_t gap = a.fold_gap_cycles;
  if (!a.preload_hiding)
    return {a.rows, a.rows + streamed + (a.fold_overlap ? gap + unskewed : std::max(drain, gap)),
            a.rows};
  if (a.swap == Swap::all_at_once)
    return {(a.rows - 1) * latency + (a.preload_skew ? a.cols : 1),
            streamed + std::max(gap, a.fold_overlap ? last_use : drain), 0};
  const std::int64_t free = streamed + (a.fold_overlap ? gap : std::max(drain, gap));
  const std::int64_t interval = std::max(free, a.rows + unskewed);
  return {a.rows, interval, interval - free};
}

}  // namespace

TileCycles stationary_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                             std::int64_t latency_cycles, const TileShape& tile) {
  const std::int64_t n_folds = ceil_div(tile.n, array.cols);
  const std::int64_t k_steps = n_folds * (ceil_div(tile.k, array.rows) - 1);
  const std::int64_t written = array.completion == Completion::written ? 1 : 0;
  const std::int64_t drain = array.rows * latency_cycles + array.cols - 2 + written;
  const std::int64_t streamed = ceil_div(tile.m, macs_per_pe);
  const Folds folds = schedule_of(array, latency_cycles, streamed, drain);
  const std::int64_t turnaround =
      array.partial_sums == PartialSums::reinject_above ? array.rows * latency_cycles + written : 0;
  const std::int64_t transitions = k_steps + n_folds - 1;
  TileCycles cycles;
  cycles.busy = (transitions + 1) * streamed;
  cycles.preload = folds.first + transitions * folds.loading;
  cycles.fill_drain = transitions * (folds.interval - folds.loading - streamed) + drain;
  cycles.dependency = k_steps * std::max<std::int64_t>(0, turnaround - folds.interval);
  return cycles;
}

}  // namespace npusim::npu
