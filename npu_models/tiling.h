// SPDX-License-Identifier: Apache-2.0
// Choice of loop order and tile sizes of one GEMM. A tile's operands fit one scratchpad buffer and
// its m*n partial sums half of accumulator memory (the other half drains meanwhile). Among a small
// set of balanced splits the least estimate wins, then the largest tiles:
//
//   max(array cycles, DRAM bytes / bandwidth,
//       (tiles * DRAM latency + load cycles + array cycles) / buffers)     a tile holds a buffer
//   + (first operands in + last results out) / bandwidth / 2               neighbours hide half
//   + results of a tile / lanes                                            the last one's epilogue
//   + DRAM bytes / bandwidth / 4                                           hidden traffic costs too
//
// It is a heuristic: neighbouring ops and the vector unit are only guessed at here. The simulation
// charges what they really take.
#pragma once

#include "npu_models/mapping.h"

namespace npusim::npu {

/// Array cycles of all tiles together when memory never lets them wait; each array takes its share
/// of m.
std::int64_t array_cycles(const NpuSpec& npu, const GemmMapping& gemm);

/// Sets tile_m, tile_n, tile_k, loop_order and spills; all else must be set.
void choose_tiles(const NpuSpec& npu, std::int64_t element_bytes, std::int64_t output_bytes,
                  GemmMapping& gemm);

}  // namespace npusim::npu
