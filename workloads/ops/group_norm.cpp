// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/group_norm.h"

#include <cmath>

namespace npusim::workloads {
namespace {

using Sums = std::vector<double>;

std::size_t size_of(std::int64_t count) {
  return static_cast<std::size_t>(count);
}

/// Mean of term(i) over each group.
template <class Term>
Sums means(const NormLayout& layout, const precision::Rounder& internal, const Term& term) {
  Sums sums(size_of(layout.groups), 0.0);
  for (std::size_t i = 0; i < layout.group.size(); ++i) {
    double& sum = sums[static_cast<std::size_t>(layout.group[i])];
    sum = internal(sum + term(i));
  }
  for (double& sum : sums) sum = internal(sum / static_cast<double>(layout.length));
  return sums;
}

/// dx = inverse * (g - mean(g) - n * mean(g * n)) with g = dy * scale and n the normalised x;
/// without mean(g) where x is not centred.
class DataGradient final : public SimpleOp {
 public:
  explicit DataGradient(const GroupNormOp& op)
      : SimpleOp({op.name() + "Gradient", "gradient of " + op.name() + " from (dy, x, scale)",
                  OpClass::vector, 2, 3, op.attributes(), true}),
        op_(op) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(1).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    return {{"add", (op_.centred() ? 7 : 4) * n}, {"mul", 6 * n}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& dy = e.inputs[0]->values;
    const std::vector<double>& x = e.inputs[1]->values;
    const Tensor* scale = e.inputs.size() > 2 ? e.inputs[2] : nullptr;
    const NormLayout layout = op_.layout(e.view, e.inputs[1]->shape, NormDetail::elements);
    const NormStatistics s =
        norm_statistics(layout, x, op_.centred(), op_.epsilon(e.view), e.internal);
    Sums n(x.size()), g(x.size());
    normalise(layout, s, x, nullptr, nullptr, e.internal, n);
    for (std::size_t i = 0; i < x.size(); ++i)
      g[i] = scale == nullptr
                 ? dy[i]
                 : e.internal(dy[i] * scale->values[static_cast<std::size_t>(layout.parameter[i])]);
    const Sums along =
        means(layout, e.internal, [&](std::size_t i) { return e.internal(g[i] * n[i]); });
    const Sums mean = op_.centred() ? means(layout, e.internal, [&](std::size_t i) { return g[i]; })
                                    : Sums(along.size(), 0.0);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto group = static_cast<std::size_t>(layout.group[i]);
      const double rest =
          e.internal(e.internal(g[i] - mean[group]) - e.internal(n[i] * along[group]));
      e.outputs[0].values[i] = e.internal(s.inverse[group] * rest);
    }
  }

 private:
  const GroupNormOp& op_;
};

/// Sums of dy * n (by scale) or dy (by bias) over the elements that share a parameter.
class ParameterGradient final : public SimpleOp {
 public:
  ParameterGradient(const GroupNormOp& op, bool scale)
      : SimpleOp(
            {op.name() + (scale ? "ScaleGradient" : "BiasGradient"),
             "gradient of " + op.name() + " by its " + (scale ? "scale" : "bias") + " from (dy, x)",
             OpClass::vector, 2, 2, op.attributes(), true}),
        op_(op),
        scale_(scale) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{op_.layout(view, view.input(1).shape, NormDetail::sizes).parameter_shape,
             ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.input(0));
    if (!scale_) return {{"add", n}};
    return {{"add", (op_.centred() ? 4 : 2) * n}, {"mul", 3 * n}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& dy = e.inputs[0]->values;
    const std::vector<double>& x = e.inputs[1]->values;
    const NormLayout layout = op_.layout(e.view, e.inputs[1]->shape, NormDetail::elements);
    Sums n(x.size(), 1.0);
    if (scale_) {
      const NormStatistics s =
          norm_statistics(layout, x, op_.centred(), op_.epsilon(e.view), e.internal);
      normalise(layout, s, x, nullptr, nullptr, e.internal, n);
    }
    std::vector<double>& sums = e.outputs[0].values;
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t i = 0; i < x.size(); ++i) {
      double& sum = sums[static_cast<std::size_t>(layout.parameter[i])];
      sum = e.internal(sum + (scale_ ? e.internal(dy[i] * n[i]) : dy[i]));
    }
  }

 private:
  const GroupNormOp& op_;
  bool scale_;
};

}  // namespace

void NormLayout::resize(const Shape& x) {
  const auto count = size_of(element_count(x));
  length = groups == 0 ? 0 : static_cast<std::int64_t>(count) / std::max<std::int64_t>(1, groups);
  group.resize(count);
  parameter.resize(count);
}

NormStatistics norm_statistics(const NormLayout& layout, const std::vector<double>& x, bool centred,
                               double epsilon, const VectorArithmetic& internal) {
  NormStatistics s;
  s.mean = centred ? means(layout, internal, [&](std::size_t i) { return x[i]; })
                   : Sums(size_of(layout.groups), 0.0);
  s.variance = means(layout, internal, [&](std::size_t i) {
    const double d = internal(x[i] - s.mean[static_cast<std::size_t>(layout.group[i])]);
    return internal(d * d);
  });
  for (const double variance : s.variance)
    s.inverse.push_back(internal(internal.rsqrt(internal(variance + internal(epsilon)))));
  return s;
}

void normalise(const NormLayout& layout, const NormStatistics& s, const std::vector<double>& x,
               const Tensor* scale, const Tensor* bias, const precision::Rounder& internal,
               std::vector<double>& y) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto group = static_cast<std::size_t>(layout.group[i]);
    const auto parameter = static_cast<std::size_t>(layout.parameter[i]);
    double value = internal(internal(x[i] - s.mean[group]) * s.inverse[group]);
    if (scale != nullptr) value = internal(value * scale->values[parameter]);
    if (bias != nullptr) value = internal(value + bias->values[parameter]);
    y[i] = value;
  }
}

std::vector<OutputSpec> GroupNormOp::infer(const NodeView& view) const {
  require_floating(view, 0);
  const Shape& x = view.input(0).shape;
  const NormLayout of_x = layout(view, x, NormDetail::sizes);
  for (int i = 1; i < std::min(3, view.input_count()); ++i)
    if (view.has_input(i) && view.input(i).shape != of_x.parameter_shape)
      shape_error(view.input(i).name + " must have shape " + to_string(of_x.parameter_shape) +
                  ", not " + to_string(view.input(i).shape));
  return {{x, ElementType::floating}};
}

std::vector<VectorWork> GroupNormOp::vector_work(const NodeView& view) const {
  const std::int64_t n = elements_of(view.input(0));
  const std::int64_t groups = layout(view, view.input(0).shape, NormDetail::sizes).groups;
  const std::int64_t scales = view.has_input(1) ? n : 0;
  const std::int64_t biases = view.has_input(2) ? n : 0;
  return {{"add", (centred_ ? 4 : 1) * n + biases},
          {"mul", 2 * n + scales},
          {"div", 2 * groups},
          {"sqrt", groups}};
}

void GroupNormOp::forward(Evaluation& e) const {
  const std::vector<double>& x = e.inputs[0]->values;
  const NormLayout of_x = layout(e.view, e.inputs[0]->shape, NormDetail::elements);
  const NormStatistics s = norm_statistics(of_x, x, centred_, epsilon(e.view), e.internal);
  normalise(of_x, s, x, e.inputs.size() > 1 ? e.inputs[1] : nullptr,
            e.inputs.size() > 2 ? e.inputs[2] : nullptr, e.internal, e.outputs[0].values);
  if (e.outputs.size() > 1) e.outputs[1].values = s.mean;
  if (e.outputs.size() > 2) e.outputs[2].values = s.inverse;
}

void GroupNormOp::gradient(GradientBuilder& g) const {
  const Node& node = g.view().node();
  const TensorId dy = g.output_gradient(0);
  for (int i = 1; i < g.view().output_count(); ++i)
    if (g.output_gradient(i) != kNoTensor)
      throw base::InputError(
          name() + " \"" + node.name + "\" has no gradient through its output " + std::to_string(i),
          "no-gradient");
  if (dy == kNoTensor) return;
  if (g.wanted(0)) {
    std::vector<TensorId> inputs = {dy, node.inputs[0]};
    if (g.view().has_input(1)) inputs.push_back(node.inputs[1]);
    g.set_input_gradient(
        0, g.add(name() + "Gradient", "dx", inputs, node.attributes, gradient_role(g, 0)));
  }
  const char* parts[] = {"ScaleGradient", "BiasGradient"};
  for (int i = 1; i < 3; ++i)
    if (g.wanted(i))
      g.set_input_gradient(i, g.add(name() + parts[i - 1], i == 1 ? "dscale" : "dbias",
                                    {dy, node.inputs[0]}, node.attributes, gradient_role(g, i)));
}

void register_group_norm(OpRegistry& registry, std::unique_ptr<GroupNormOp> op) {
  registry.add(std::make_unique<DataGradient>(*op));
  registry.add(std::make_unique<ParameterGradient>(*op, true));
  registry.add(std::make_unique<ParameterGradient>(*op, false));
  registry.add(std::move(op));
}

}  // namespace npusim::workloads
