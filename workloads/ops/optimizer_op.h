// SPDX-License-Identifier: Apache-2.0
// What the optimizers that update many weights in one node share: learning rate R, update count T,
// then all weights, all gradients and all states come in; new weights and states come out. Every
// step rounds to the internal format.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "workloads/ops/simple_op.h"

namespace npusim::workloads {

AttributeSpec optimizer_number(const char* name, double fallback, const char* description);

/// One element: its weight, gradient and states before and after.
struct OptimizedElement {
  double weight, gradient;
  double state[2];
};

class OptimizerOp : public SimpleOp {
 public:
  OptimizerOp(const char* name, const char* description, int states,
              std::vector<AttributeSpec> attributes, bool internal = false);
  std::vector<OutputSpec> infer(const NodeView& view) const override;
  std::vector<VectorWork> vector_work(const NodeView& view) const override;
  void forward(Evaluation& e) const override;

 protected:
  /// Constant over all elements of a run: R and what T makes of it.
  virtual double adjusted_rate(const Evaluation& e, double rate, double count) const = 0;
  virtual void update(const Evaluation& e, double rate, OptimizedElement& element) const = 0;
  /// The gradient with the L2 penalty norm_coefficient.
  static double regularised(const Evaluation& e, const OptimizedElement& x);
  /// Elements of all weights.
  std::int64_t weight_elements(const NodeView& view) const;
  std::size_t weight_count(std::size_t inputs) const {
    return (inputs - 2) / static_cast<std::size_t>(2 + states_);
  }
  int states() const { return states_; }

 private:
  int states_;
};

}  // namespace npusim::workloads
