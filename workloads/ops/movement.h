// SPDX-License-Identifier: Apache-2.0
// Ops whose every result element is an element of input 0 or a fill value: one class gives them
// forward, work and gradient. The gradient "<name>Gradient" of (dy, inputs 1 ...) adds each element
// of dy to where its value came from, in index order, one rounding each.
#pragma once

#include <vector>

#include "workloads/ops/simple_op.h"

namespace npusim::workloads {

/// One evaluation: shapes of input 0 and of the result, attributes and the other inputs (same
/// places in the op and in its gradient).
struct Move {
  const NodeView& view;
  const Shape& x;
  const Shape& y;
  const std::vector<const Tensor*>& inputs;  ///< [0] belongs to the caller
};

constexpr std::int64_t kFill = -1;

class Movement : public SimpleOp {
 public:
  explicit Movement(OpFacts facts) : SimpleOp(std::move(facts)) {}
  /// The shape of the result for input 0 of shape x.
  virtual Shape result_shape(const NodeView& view, const Shape& x) const = 0;
  /// Offset in input 0 of each result element in order, or kFill.
  virtual std::vector<std::int64_t> sources(const Move& move) const = 0;
  virtual double fill(const Move&) const { return 0.0; }
  /// Attributes that the gradient needs; by default all.
  virtual Attributes gradient_attributes(const NodeView& view) const {
    return view.node().attributes;
  }

  std::vector<OutputSpec> infer(const NodeView& view) const override;
  std::vector<VectorWork> vector_work(const NodeView& view) const override;
  void forward(Evaluation& e) const override;
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override;
};

/// Registers the op and its gradient.
void register_movement(OpRegistry& registry, std::unique_ptr<Movement> op);

}  // namespace npusim::workloads
