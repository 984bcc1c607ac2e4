// SPDX-License-Identifier: Apache-2.0
// What a mapped GEMM moves to and from DRAM, in closed form. The simulation moves exactly these
// bytes. Reuse rule: an operand tile is loaded unless the tile before (of the same op) used the
// same one: same group and the same m and k tile for the streamed side, same n and k tile for the
// stationary side. Nothing else stays on the chip, and a new group always loads both. Outputs are
// stored once, at their last k tile. With `spills`, partial sums are written after every k tile but
// the last and read back before every one but the first, in the format the plan carries them in.
// A tile is that of all arrays together (array_split.h): what several of them use is loaded once.
// A tile of K holds a range of every part of K; a split of groups makes a tile of several groups.
// Not part of it: bias, per-channel parameters and the extra operands of a fused epilogue.
#pragma once

#include <cstdint>

#include "npu_models/mapping.h"

namespace npusim::npu {

struct GemmElementBytes {
  std::int64_t m_side = 2, n_side = 2, output = 2;
};

struct GemmTraffic {
  std::int64_t m_side_bytes = 0, n_side_bytes = 0;  ///< loaded
  std::int64_t output_bytes = 0;                    ///< stored
  std::int64_t spill_write_bytes = 0, spill_read_bytes = 0;

  std::int64_t read_bytes() const { return m_side_bytes + n_side_bytes + spill_read_bytes; }
  std::int64_t write_bytes() const { return output_bytes + spill_write_bytes; }
  std::int64_t total_bytes() const { return read_bytes() + write_bytes(); }
};

/// Bytes of one partial sum in DRAM: of the plan's outermost carried chunk, else as accumulated.
std::int64_t spill_element_bytes(const GemmMapping& gemm);

GemmTraffic gemm_traffic(const GemmMapping& gemm, const GemmElementBytes& bytes);

/// How often each side is loaded in all.
struct GemmReloads {
  std::int64_t streamed = 1, stationary = 1;
};
GemmReloads gemm_reloads(const GemmMapping& gemm);

/// Operands of one tile: positions [m0, m0 + m_count), or n_count channels, of `groups` groups and
/// the ranges of tile `k_tile` of K.
std::int64_t tile_m_side_bytes(const GemmMapping& gemm, std::int64_t groups, std::int64_t m0,
                               std::int64_t m_count, std::int64_t k_tile,
                               std::int64_t element_bytes);
std::int64_t tile_n_side_bytes(const GemmMapping& gemm, std::int64_t groups, std::int64_t n_count,
                               std::int64_t k_tile, std::int64_t element_bytes);

/// Tiles in each direction and in all; groups in blocks of the split.
struct GemmTileCounts {
  std::int64_t m = 1, n = 1, k = 1, groups = 1;
  std::int64_t total() const { return groups * m * n * k; }
};
GemmTileCounts gemm_tile_counts(const GemmMapping& gemm);

}  // namespace npusim::npu
