// SPDX-License-Identifier: Apache-2.0
#include "npu_models/tile_sizes.h"

#include <algorithm>
#include <set>

#include "npu_models/ceil_div.h"

namespace npusim::npu {
namespace {

using SizeSet = std::set<std::int64_t, std::greater<>>;

std::int64_t even_size(std::int64_t extent, std::int64_t parts, std::int64_t granule) {
  return std::min(extent, ceil_div(ceil_div(extent, parts), granule) * granule);
}

}  // namespace

Sizes balanced_splits(std::int64_t extent, std::int64_t granule) {
  SizeSet sizes;
  const std::int64_t most = ceil_div(extent, granule);
  for (std::int64_t power = 1; power <= most; power *= 2) {
    sizes.insert(even_size(extent, power, granule));
    if (power >= 2 && power + power / 2 <= most)
      sizes.insert(even_size(extent, power + power / 2, granule));
  }
  sizes.insert(even_size(extent, most, granule));
  return {sizes.begin(), sizes.end()};
}

Sizes every_split(std::int64_t extent, std::int64_t granule) {
  SizeSet sizes;
  const std::int64_t most = ceil_div(extent, granule);
  for (std::int64_t size = most; size >= 1;) {
    sizes.insert(std::min(extent, size * granule));
    if (size == 1) break;
    const std::int64_t parts = ceil_div(most, size) + 1;  // the next number of parts
    size = std::min(size - 1, ceil_div(most, parts));
  }
  return {sizes.begin(), sizes.end()};
}

}  // namespace npusim::npu
