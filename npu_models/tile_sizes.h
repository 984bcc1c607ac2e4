// SPDX-License-Identifier: Apache-2.0
// Sizes of tiles that a search looks at, descending: even parts of an extent in whole granules.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace npusim::npu {

using Sizes = std::vector<std::int64_t>;

/// Of 1, 2, 3, 4, 6, 8, 12, ... parts.
Sizes balanced_splits(std::int64_t extent, std::int64_t granule);

/// Of every number of parts.
Sizes every_split(std::int64_t extent, std::int64_t granule);

}  // namespace npusim::npu
