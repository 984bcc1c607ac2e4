// SPDX-License-Identifier: Apache-2.0
// Which ways of sharing a product over the arrays of an NPU the mapping tries.
#pragma once

#include <vector>

#include "npu_models/mapping.h"

namespace npusim::npu {

/// The vector unit can combine sums of parts of K: it adds, in no narrower format than theirs.
bool combines_parts_of_k(const VectorUnitSpec& unit, const precision::Format& sums);

/// Granule of tiles of this product: the array's, in K also whole blocks of the MAC unit.
TileShape granule_of(const MacArraySpec& array, const precision::MacUnit& unit);

/// Array cycles of the whole product as one tile of this split: no tiling takes fewer.
std::int64_t least_array_cycles(const NpuSpec& npu, const GemmMapping& gemm,
                                const ArraySplit& split);

struct RankedSplit {
  ArraySplit split;
  std::int64_t least_cycles = 0;  ///< of the arrays or of memory, whichever takes longer
  std::int64_t array_cycles = 0;
};

/// Numbers of parts 1, 2, 3, 4, 6, 8, 12, ... and divisors of the arrays in each direction, as many
/// positions as are left; fewest cycles first (memory takes at least memory_cycles), then fewest
/// parts of K, whose sums must be combined, then fewest array cycles. `every`: all numbers of parts
/// with work for each.
std::vector<RankedSplit> candidate_splits(const NpuSpec& npu, const GemmMapping& gemm,
                                          std::int64_t memory_cycles, bool every = false);

}  // namespace npusim::npu
