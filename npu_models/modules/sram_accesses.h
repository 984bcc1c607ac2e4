// SPDX-License-Identifier: Apache-2.0
// Elements that the arrays read from the scratchpad and partial sums they move in accumulator
// memory for one tile, for energy and SRAM traffic (never for time). With the granule (m, n, k) of
// one pass:
//   streamed side    once for every block of granule.n output channels
//   stationary side  once for every block of granule.m positions; once in all where one position
//                    passes at a time (the operand stays in the array); in every array that works
//   partial sums     written once, then read and written again by each further pass of granule.k
// Reuse inside one pass is perfect. Knows no SystemC.
#pragma once

#include <cstdint>

#include "npu_models/npu_spec.h"
#include "npu_models/organisation.h"

namespace npusim::npu::model {

struct SramAccesses {
  std::int64_t m_side = 0, n_side = 0;  ///< elements read
  std::int64_t accumulator = 0;         ///< partial sums written or read by the arrays
};

SramAccesses sram_accesses(const MacArraySpec& array, const TileShape& granule,
                           const TileShape& tile);

}  // namespace npusim::npu::model
