// SPDX-License-Identifier: Apache-2.0
// An array file through a block-scaled format, in pieces: K runs along one axis, whatever stands
// before and after it.
#pragma once

#include <cstdint>
#include <functional>

#include "base/npy_stream.h"
#include "precision/block_quantize.h"

namespace npusim::tools {

struct BlockStream {
  precision::BlockFormat format;
  precision::ElementRounding rounding;
  int axis = 0;  ///< of K
  /// Applied to every value before it is quantised (DAZ); may be empty.
  std::function<double(double)> prepare;
  /// Called with the dequantised values and what was read, in pieces.
  std::function<void(std::int64_t first, const double* values, const double* input,
                     std::int64_t count)>
      done;

  /// Elements that were clamped to the largest.
  std::int64_t run(base::NpyReader& reader) const;
};

}  // namespace npusim::tools
