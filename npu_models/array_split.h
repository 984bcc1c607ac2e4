// SPDX-License-Identifier: Apache-2.0
// How the arrays of an NPU share one tile of a product: in groups (matrices of a batch), positions,
// output channels and terms of K, each cut evenly, one part an array; arrays beyond the parts idle.
// They start a tile together and share one scratchpad: an operand that several arrays use is loaded
// once and read by each.
//
// Parts of K are consecutive ranges of k_part() ordered terms of the whole product, so that an
// array keeps its sum over all tiles of K. Behind the last one the vector unit adds the parts of an
// output in order, each addition rounded as the accumulator's: part 0 + part 1 + ..., from the bias
// where the array preloads it (the plan's outermost chunk says the same).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "npu_models/tile_shape.h"

namespace npusim::npu {

struct ArraySplit {
  std::int64_t groups = 1, m = 1, n = 1, k = 1;

  std::int64_t parts() const { return groups * m * n * k; }
};
bool operator==(const ArraySplit& x, const ArraySplit& y);
/// "1 x 4 x 2 x 1": groups, m, n, k.
std::string describe(const ArraySplit& split);

/// Extents of a tile of all arrays together. k counts the terms of one part of K; the last part may
/// have fewer, also none.
struct TileExtents {
  std::int64_t groups = 1, m = 1, n = 1, k = 1, last_k = 1;
};

bool operator==(const TileExtents& x, const TileExtents& y);

/// So many arrays take a tile of this shape.
struct ArrayShare {
  TileShape shape;
  std::int64_t arrays = 1;
};

/// What the arrays with any work take, the largest first; parts of m and n differ by one at most.
std::vector<ArrayShare> shares_of(const ArraySplit& split, const TileExtents& tile);

}  // namespace npusim::npu
