// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/sram_accesses.h"

#include <algorithm>

namespace npusim::npu::model {
namespace {

std::int64_t blocks(std::int64_t extent, std::int64_t granule) {
  return (extent + granule - 1) / granule;
}

}  // namespace

SramAccesses sram_accesses(const MacArraySpec& array, const TileShape& granule,
                           const TileShape& tile) {
  const std::int64_t working_arrays = std::min(array.arrays, tile.m);
  const std::int64_t share = blocks(tile.m, array.arrays);
  const std::int64_t position_blocks = granule.m > 1 ? blocks(share, granule.m) : 1;
  const std::int64_t passes = blocks(tile.k, granule.k);
  return {tile.m * tile.k * blocks(tile.n, granule.n),
          tile.n * tile.k * position_blocks * working_arrays, tile.m * tile.n * (2 * passes - 1)};
}

}  // namespace npusim::npu::model
