// SPDX-License-Identifier: Apache-2.0
// Products of weights on operands that share scales in blocks along K: each operand of a forward
// product, a data gradient and a weight gradient is quantised along its own K, straight from what
// is stored, so that a tensor may have a copy by rows and one by columns. The scales go into the
// product: the MAC unit multiplies by them where it has them join. The FP32 result gets its bias
// and is then stored. Sources:
//   DeepSeek-V3 (arXiv:2412.19437, 3.3.1, 3.3.2): activations and gradients in tiles of 1 x 128
//   along K, weights in blocks of 128 x 128, all E4M3, the scale from the tile's own largest value
//   OCP MX 1.0: blocks of 32 along K of either operand, E8M0 scales
// It concerns Gemm and MatMul; convolutions, products of two activations (attention) and products
// with an `operands` rule of their own read what the recipe otherwise says.
#pragma once

#include <set>
#include <string>

#include "precision/block_format.h"
#include "workloads/graph.h"

namespace npusim::workloads {

struct BlockScaling {
  precision::BlockFormat activations, weights, gradients;
  std::int64_t weight_rows = 1;  ///< rows of weights that share a scale too
};

/// True for products that block scaling may concern.
bool is_product_of_weights(const Graph& graph, const Node& node);

/// The nodes of these names read scaled operands.
Graph scale_blocks(const Graph& graph, const BlockScaling& scaling,
                   const std::set<std::string>& nodes);

}  // namespace npusim::workloads
