// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "precision/block_format.h"
#include "workloads/op.h"

namespace npusim::workloads {

/// QuantizeBlocks and BlockScaledMatMul, of training/block_operands.h.
void register_block_scales(OpRegistry& registry);

/// What QuantizeBlocks makes of a tensor whose tiles are `tile` (rows, columns): element format and
/// scales by name of a block-scaled format.
Attributes block_attributes(const precision::BlockFormat& format, std::int64_t tile_rows,
                            std::int64_t tile_columns);

/// Block scales of a product's operands: terms of K that share one, and the first of the two
/// inputs that hold them (of A, then of B).
struct ProductScales {
  std::int64_t block = 0;
  int first_input = 0;
};
/// nullopt for products of plain operands.
std::optional<ProductScales> scales_of_product(const NodeView& view);

}  // namespace npusim::workloads
