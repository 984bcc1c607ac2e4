// SPDX-License-Identifier: Apache-2.0
// One matrix product alone on an NPU's tile model: operands from DRAM, results back to DRAM.
#pragma once

#include <optional>
#include <vector>

#include "npu_models/npu_spec.h"
#include "npu_models/organisation.h"

namespace npusim::sim {

struct Product {
  npu::TileShape shape;
  /// Either operand may stay in the arrays, as a compiler would choose: the longer side of the
  /// result streams.
  bool either_side = true;
  std::optional<npu::TileShape> tile{};  ///< cut as the machine does; absent: see below
};

/// Cycles of each product, in order. Without a tile: a product whose operands fit one scratchpad
/// buffer, and whose sums fit accumulator memory, is one tile; others are cut by the mapping's
/// search. Results pass the vector unit once (`copy`) where it has that function.
std::vector<double> product_cycles(const npu::NpuSpec& npu, const std::vector<Product>& products,
                                   int jobs);

}  // namespace npusim::sim
