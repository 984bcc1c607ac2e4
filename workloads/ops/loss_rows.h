// SPDX-License-Identifier: Apache-2.0
// What the two classification losses share: scores (N, C, d1, ...) with integer targets (N, d1,
// ...), an optional weight for each class, one target value that is ignored, and a reduction over
// rows. One row is the C scores of one target; rows are numbered in the order of the targets.
#pragma once

#include <limits>
#include <optional>

#include "workloads/ops/rows_along_axis.h"

namespace npusim::workloads {

/// ctc_loss.cpp, of the family of losses.
void register_ctc_loss(OpRegistry& registry);

/// ONNX leaves ignore_index out for "none".
inline constexpr std::int64_t kNoIgnoredTarget = std::numeric_limits<std::int64_t>::min();

AttributeSpec ignore_index_attribute();
AttributeSpec reduction_attribute();  ///< "none", "sum" or "mean"

/// Node inputs by number; weights -1: there are none.
struct LossInputs {
  int targets = 1;
  int weights = 2;
};

/// base::InputError when they do not fit scores of this shape.
void check_loss(const NodeView& view, const Shape& scores, const LossInputs& inputs);

/// The shape of the loss itself.
Shape reduced_shape(const NodeView& view, const Shape& targets);

class LossRows {
 public:
  LossRows(const Evaluation& e, const Shape& scores, const LossInputs& inputs);

  const RowsAlongAxis& rows() const { return rows_; }
  /// The class of a row; nullopt when it is ignored. base::InputError outside 0..C-1.
  std::optional<std::int64_t> target(std::int64_t row) const;
  bool weighted() const { return weights_ != nullptr; }
  double weight(std::int64_t target) const {
    return weights_ == nullptr ? 1.0 : weights_->values[static_cast<std::size_t>(target)];
  }
  bool reduces() const { return !each_; }
  /// Of a mean: the sum of the weights of the rows that count, in order, each step rounded.
  double divisor(const precision::Rounder& internal) const;
  /// What the row's -log(p) is multiplied by on the way back: dloss over the divisor, times weight.
  double scale(std::int64_t row, std::int64_t target, double shared, const Tensor& dloss,
               const precision::Rounder& internal) const;

 private:
  RowsAlongAxis rows_;
  const Tensor* targets_;
  const Tensor* weights_;
  std::int64_t ignored_;
  bool mean_;
  bool each_;
};

}  // namespace npusim::workloads
