// SPDX-License-Identifier: Apache-2.0
// Elements that the arrays read from the scratchpad and partial sums they move in accumulator
// memory for one tile, for energy and SRAM traffic (never for time). With the granule (m, n, k) of
// one pass, each array with what it takes of the tile:
//   streamed side    once for every block of granule.n output channels
//   stationary side  once for every block of granule.m positions; once in all where one position
//                    passes at a time (the operand stays in the array)
//   partial sums     written once, then read and written again by each further pass of granule.k
// Reuse inside one pass is perfect, arrays read for themselves. Knows no SystemC.
#pragma once

#include <cstdint>

#include <vector>

#include "npu_models/array_split.h"

namespace npusim::npu::model {

struct SramAccesses {
  std::int64_t m_side = 0, n_side = 0;  ///< elements read
  std::int64_t accumulator = 0;         ///< partial sums written or read by the arrays
  std::int64_t sums = 0;                ///< of the arrays that work: each once
};

SramAccesses sram_accesses(const TileShape& granule, const std::vector<ArrayShare>& shares);

}  // namespace npusim::npu::model
