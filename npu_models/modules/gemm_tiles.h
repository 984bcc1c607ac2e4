// SPDX-License-Identifier: Apache-2.0
// The tiles of a mapped GEMM in the order they run, made one by one, each with what it loads, keeps
// and gives back under the reuse rule of gemm_traffic.h. Edge tiles are smaller. Knows no SystemC.
#pragma once

#include <cstdint>

#include "npu_models/gemm_traffic.h"
#include "npu_models/mapping.h"

namespace npusim::npu::model {

/// Tile numbers in each direction; groups in blocks of the split.
struct TileIndex {
  std::int64_t group = 0, m = 0, n = 0, k = 0;

  bool same_streamed(const TileIndex& o) const { return group == o.group && m == o.m && k == o.k; }
  bool same_stationary(const TileIndex& o) const {
    return group == o.group && n == o.n && k == o.k;
  }
};

struct GemmTile {
  TileIndex index;
  std::int64_t group0 = 0, m0 = 0, n0 = 0;  ///< first group, position, channel
  TileExtents extents;
  bool load_streamed = true, load_stationary = true;
  bool last_of_streamed = true, last_of_stationary = true;  ///< the next tile uses another one
  bool first_k = true, last_k = true;
};

class GemmTiles {
 public:
  explicit GemmTiles(const GemmMapping& gemm);
  /// The next tile; false after the last.
  bool next(GemmTile& tile);

 private:
  bool advance(TileIndex& index) const;

  const GemmMapping& gemm_;
  GemmTileCounts counts_;
  TileIndex previous_, current_, following_;
  bool any_ = false;  ///< previous_ is valid
  bool more_ = true;  ///< current_ is valid
};

}  // namespace npusim::npu::model
