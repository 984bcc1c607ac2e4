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

/// The node's attributes, looked up once for all elements; 0 for those that the optimizer has not.
struct OptimizerSettings {
  double alpha = 0.0, beta = 0.0, epsilon = 0.0;
  double norm_coefficient = 0.0, norm_coefficient_post = 0.0, weight_decay = 0.0;
  bool nesterov = false;
  double count = 0.0;                          ///< T
  double first_rest = 0.0, second_rest = 0.0;  ///< 1 - alpha^T and 1 - beta^T
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
  virtual void update(const Evaluation& e, const OptimizerSettings& settings, double rate,
                      OptimizedElement& element) const = 0;
  OptimizerSettings settings_of(const Evaluation& e) const;
  /// The gradient with the L2 penalty norm_coefficient.
  static double regularised(const Evaluation& e, const OptimizerSettings& s,
                            const OptimizedElement& x);
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
