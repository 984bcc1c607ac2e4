// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/gemm_tiles.h"

#include <algorithm>

namespace npusim::npu::model {

GemmTiles::GemmTiles(const GemmMapping& gemm) : gemm_(gemm), counts_(gemm_tile_counts(gemm)) {}

bool GemmTiles::advance(TileIndex& index) const {
  const bool k_inside = gemm_.loop_order == LoopOrder::output_resident;
  std::int64_t& inner = k_inside ? index.k : index.m;
  std::int64_t& outer = k_inside ? index.m : index.k;
  if (++inner < (k_inside ? counts_.k : counts_.m)) return true;
  inner = 0;
  if (++outer < (k_inside ? counts_.m : counts_.k)) return true;
  outer = 0;
  if (++index.n < counts_.n) return true;
  index.n = 0;
  return ++index.group < counts_.groups;
}

bool GemmTiles::next(GemmTile& tile) {
  if (!more_) return false;
  following_ = current_;
  more_ = advance(following_);
  tile.index = current_;
  tile.m0 = current_.m * gemm_.tile_m;
  tile.n0 = current_.n * gemm_.tile_n;
  tile.group0 = current_.group * gemm_.split.groups;
  tile.extents = {std::min(gemm_.split.groups, gemm_.contraction.groups - tile.group0),
                  std::min(gemm_.tile_m, gemm_.contraction.m - tile.m0),
                  std::min(gemm_.tile_n, gemm_.contraction.n - tile.n0),
                  gemm_.k_extent(0, current_.k), gemm_.k_extent(gemm_.split.k - 1, current_.k)};
  tile.load_streamed = !any_ || !current_.same_streamed(previous_);
  tile.load_stationary = !any_ || !current_.same_stationary(previous_);
  tile.last_of_streamed = !more_ || !current_.same_streamed(following_);
  tile.last_of_stationary = !more_ || !current_.same_stationary(following_);
  tile.first_k = current_.k == 0;
  tile.last_k = current_.k == counts_.k - 1;
  previous_ = current_;
  current_ = following_;
  any_ = true;
  return true;
}

}  // namespace npusim::npu::model
