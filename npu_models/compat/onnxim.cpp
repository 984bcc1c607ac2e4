// SPDX-License-Identifier: Apache-2.0
#include "npu_models/compat/onnxim.h"

#include <algorithm>

#include "npu_models/organisations/organisations.h"

namespace npusim::npu::compat {

std::int64_t onnxim_cycles(std::int64_t rows, std::int64_t cols, const TileShape& product) {
  const std::int64_t tiles = ceil_div(product.k, rows) * ceil_div(product.n, cols);
  return tiles * std::max(product.m, rows) + rows + cols - 2 + kFittedStartCycles;
}

}  // namespace npusim::npu::compat
