// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace npusim::npu {

/// A tile as one array runs it: m streamed positions, n output channels, k ordered terms (padding
/// included).
struct TileShape {
  std::int64_t m = 1, n = 1, k = 1;
};

}  // namespace npusim::npu
