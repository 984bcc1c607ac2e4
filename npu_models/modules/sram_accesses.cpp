// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/sram_accesses.h"

#include "npu_models/ceil_div.h"

namespace npusim::npu::model {

SramAccesses sram_accesses(const TileShape& granule, const std::vector<ArrayShare>& shares) {
  SramAccesses all;
  for (const ArrayShare& share : shares) {
    const TileShape& tile = share.shape;
    const std::int64_t position_blocks = granule.m > 1 ? ceil_div(tile.m, granule.m) : 1;
    const std::int64_t passes = ceil_div(tile.k, granule.k);
    all.m_side += share.arrays * tile.m * tile.k * ceil_div(tile.n, granule.n);
    all.n_side += share.arrays * tile.n * tile.k * position_blocks;
    all.accumulator += share.arrays * tile.m * tile.n * (2 * passes - 1);
    all.sums += share.arrays * tile.m * tile.n;
  }
  return all;
}

}  // namespace npusim::npu::model
