// SPDX-License-Identifier: Apache-2.0
// Where the operands of a node's products lie in its input tensors, so that some rows can be read
// without the rest: Gemm, MatMul and Conv. The rows are those that forward() hands to the matrix
// engine, in its order of K.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "precision/gemm.h"
#include "workloads/op.h"

namespace npusim::workloads {

struct OperandLayout {
  int input = 0;  ///< of the node
  std::int64_t rows = 1;
  /// Element of the input that is term k of a row of a product; -1: a zero of the padding.
  std::function<std::int64_t(std::int64_t product, std::int64_t row, std::int64_t k)> element;
};

struct ProductLayout {
  std::int64_t products = 1;  ///< groups of a convolution, matrices of a batch
  std::int64_t k = 1;
  OperandLayout a, b;  ///< the engine's operands
  /// Input of one value a row of an operand, of all products one after the other; -1: none.
  int bias_input = -1;
  precision::Bias::Axis bias_axis = precision::Bias::Axis::none;
};

/// nullopt for ops that are none of the three, and a Gemm that scales its product or adds a matrix.
std::optional<ProductLayout> product_layout(const NodeView& view);

}  // namespace npusim::workloads
