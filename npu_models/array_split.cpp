// SPDX-License-Identifier: Apache-2.0
#include "npu_models/array_split.h"

#include <array>

namespace npusim::npu {
namespace {

/// Up to two sizes of part, the larger first, and how many have it.
struct Parts {
  std::array<std::int64_t, 2> size{}, count{};
};

Parts even(std::int64_t extent, std::int64_t parts) {
  const std::int64_t small = extent / parts;
  const std::int64_t larger = extent % parts;
  return {{small + 1, small}, {larger, parts - larger}};
}

Parts of_k(const TileExtents& tile, std::int64_t parts) {
  return {{tile.k, tile.last_k}, {parts - 1, 1}};
}

}  // namespace

bool operator==(const ArraySplit& x, const ArraySplit& y) {
  return x.groups == y.groups && x.m == y.m && x.n == y.n && x.k == y.k;
}

bool operator==(const TileExtents& x, const TileExtents& y) {
  return x.groups == y.groups && x.m == y.m && x.n == y.n && x.k == y.k && x.last_k == y.last_k;
}

std::string describe(const ArraySplit& split) {
  return std::to_string(split.groups) + " x " + std::to_string(split.m) + " x " +
         std::to_string(split.n) + " x " + std::to_string(split.k);
}

std::vector<ArrayShare> shares_of(const ArraySplit& split, const TileExtents& tile) {
  const Parts m = even(tile.m, split.m);
  const Parts n = even(tile.n, split.n);
  const Parts k = of_k(tile, split.k);
  std::vector<ArrayShare> shares;
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 2; ++j)
      for (std::size_t l = 0; l < 2; ++l) {
        const ArrayShare share{{m.size[i], n.size[j], k.size[l]},
                               tile.groups * m.count[i] * n.count[j] * k.count[l]};
        if (share.arrays > 0 && share.shape.m > 0 && share.shape.n > 0 && share.shape.k > 0)
          shares.push_back(share);
      }
  return shares;
}

}  // namespace npusim::npu
