// SPDX-License-Identifier: Apache-2.0
// Choice of loop order and tile sizes of one GEMM. A tile's operands fit one scratchpad buffer and
// its m*n partial sums half of accumulator memory (the other half drains meanwhile). Among a small
// set of balanced splits, those within 1/32 of the least estimated time compete; the fewest DRAM
// bytes win, then the largest tiles. The estimate:
//
//   max(array cycles, DRAM bytes / bandwidth,
//       (tiles * DRAM latency + load cycles + array cycles) / buffers)     a tile holds a buffer
//   + (first operands in + last results out) / bandwidth
//
// It knows no neighbouring ops and no vector unit: the simulation charges those.
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
