// SPDX-License-Identifier: Apache-2.0
// A machine that takes attention as one op, a block of keys at a time (blocked_attention.h says in
// which steps): the two products of a block, and where their values round on the way.
#pragma once

#include "precision/rounder.h"
#include "workloads/attention_shape.h"

namespace npusim::workloads {

class OnlineSoftmaxEngine : public MatrixEngine {
 public:
  /// Of an attention of this shape.
  virtual AttentionBlocks blocks(const AttentionShape& shape) const = 0;
  /// Queries times keys of one block: depth terms.
  virtual void scores(const precision::OperandRows& queries, const precision::OperandRows& keys,
                      precision::GemmOutput& out) const = 0;
  /// Weights times values of one block of so many keys.
  virtual void context(std::int64_t keys, const precision::OperandRows& weights,
                       const precision::OperandRows& values, precision::GemmOutput& out) const = 0;
  /// Sums on their way from the array to the vector unit.
  virtual const precision::Rounder& on_chip() const = 0;
  /// Weights on their way to the array: operands.
  virtual const precision::Rounder& operand() const = 0;
};

/// The backward pass of it, scores computed again (blocked_attention_gradient.h).
class AttentionGradientEngine : public MatrixEngine {
 public:
  virtual AttentionBlocks blocks(const AttentionShape& shape) const = 0;
  enum class Product {
    scores,   ///< queries times keys: depth terms
    weights,  ///< gradient of the result times values: value depth terms
    values,   ///< weights, transposed, times gradient of the result: a block of queries
    keys,     ///< gradient of scores, transposed, times queries: a block of queries
    queries,  ///< gradient of scores times keys: a block of keys
  };
  virtual void product(Product which, std::int64_t terms, const precision::OperandRows& a,
                       const precision::OperandRows& b, precision::GemmOutput& out) const = 0;
  /// Sums on their way from the array to the vector unit.
  virtual const precision::Rounder& on_chip() const = 0;
  /// Weights and gradients of scores on their way to the array: operands.
  virtual const precision::Rounder& operand() const = 0;
};

}  // namespace npusim::workloads
