// SPDX-License-Identifier: Apache-2.0
// Normalisation of groups of elements to mean 0 and variance 1, then a scale and a bias: what
// batch, layer, group, instance and RMS normalisation share. Sums run in index order; every step
// rounds to the internal format: mean = sum(x) / n, d = x - mean, variance = sum(d * d) / n,
// inverse = 1 / sqrt(variance + epsilon), y = d * inverse * scale + bias. RMS normalisation has
// d = x.
#pragma once

#include <string>
#include <vector>

#include "workloads/ops/simple_op.h"

namespace npusim::workloads {

/// Which group and which scale each element of x belongs to: x seen as `view`, the groups (or the
/// scales) being the dimensions of `kept` that are not 1.
struct NormLayout {
  Shape group_view, group_kept;
  Shape parameter_view, parameter_kept;
  Shape parameter_shape;
};

struct NormStatistics {
  std::vector<double> mean, variance, inverse;  ///< one a group; inverse = 1 / deviation
};
/// Of the evaluation's arithmetic, on its threads.
NormStatistics norm_statistics(const Evaluation& e, const NormLayout& layout,
                               const std::vector<double>& x, bool centred, double epsilon);

/// y of the header's first lines; scale and bias may be nullptr.
void normalise(const Evaluation& e, const NormLayout& layout, const NormStatistics& statistics,
               const std::vector<double>& x, const Tensor* scale, const Tensor* bias,
               std::vector<double>& y);

class GroupNormOp : public SimpleOp {
 public:
  GroupNormOp(OpFacts facts, bool centred) : SimpleOp(std::move(facts)), centred_(centred) {}
  bool centred() const { return centred_; }
  /// Of x with this shape; base::InputError when the node's attributes do not fit it.
  virtual NormLayout layout(const NodeView& view, const Shape& x) const = 0;
  virtual double epsilon(const NodeView& view) const { return view.number("epsilon"); }

  std::vector<OutputSpec> infer(const NodeView& view) const override;
  std::vector<VectorWork> vector_work(const NodeView& view) const override;
  void forward(Evaluation& e) const override;
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override;

 private:
  bool centred_;
};

/// The op and its gradients: "<name>Gradient" of (dy, x, scale), "<name>ScaleGradient" of (dy, x)
/// and "<name>BiasGradient" of (dy, x).
void register_group_norm(OpRegistry& registry, std::unique_ptr<GroupNormOp> op);

}  // namespace npusim::workloads
