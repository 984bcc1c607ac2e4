// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/group_norm.h"

#include <functional>

#include "workloads/ops/ordered_reduction.h"
#include "workloads/ops/spread_rows.h"

namespace npusim::workloads {
namespace {

using Values = std::vector<double>;

std::size_t size_of(std::int64_t count) {
  return static_cast<std::size_t>(count);
}

/// values[i] = round(f(values[i], of[index])), `of` being one value for each element of `kept`.
template <class Function>
void combine(const Evaluation& e, const Shape& view, const Shape& kept, const double* of,
             Values& values, const Function& f) {
  const SpreadRows rows(view, kept);
  for_rows(e.parallel, rows, [&](std::int64_t row) {
    double* const to = values.data() + row * rows.length();
    const double* const from = of + rows.index(row);
    if (rows.step() == 0)
      for (std::int64_t i = 0; i < rows.length(); ++i) to[i] = f(to[i], *from);
    else
      for (std::int64_t i = 0; i < rows.length(); ++i) to[i] = f(to[i], from[i]);
    e.internal.array(to, rows.length());
  });
}

/// values[i] = round(f(values[i], others[i])).
template <class Function>
void combine(const Evaluation& e, const Values& others, Values& values, const Function& f) {
  for_blocks(e.parallel, static_cast<std::int64_t>(values.size()),
             [&](std::int64_t begin, std::int64_t end) {
               for (auto i = size_of(begin); i < size_of(end); ++i)
                 values[i] = f(values[i], others[i]);
               e.internal.array(values.data() + begin, end - begin);
             });
}

// Objects, not functions: calls of these are inlined.
constexpr std::plus<double> sum;
constexpr std::minus<double> difference;
constexpr std::multiplies<double> product;

/// Mean of the terms of each group.
Values means(const Evaluation& e, const NormLayout& layout, const Values& terms) {
  Values sums(size_of(element_count(layout.group_kept)), 0.0);
  OrderedReduction(layout.group_view, layout.group_kept)
      .run(terms.data(), sums.data(), e.parallel,
           [&](double so_far, double term, std::size_t) { return e.internal(so_far + term); });
  const std::int64_t groups = std::max<std::int64_t>(1, element_count(layout.group_kept));
  const auto length = static_cast<double>(static_cast<std::int64_t>(terms.size()) / groups);
  for (double& value : sums) value = e.internal(value / length);
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
    const Values& x = e.inputs[1]->values;
    const Tensor* scale = e.inputs.size() > 2 ? e.inputs[2] : nullptr;
    const NormLayout layout = op_.layout(e.view, e.inputs[1]->shape);
    const NormStatistics s = norm_statistics(e, layout, x, op_.centred(), op_.epsilon(e.view));
    Values n(x.size());
    normalise(e, layout, s, x, nullptr, nullptr, n);
    Values& g = e.outputs[0].values;
    g = e.inputs[0]->values;
    if (scale != nullptr)
      combine(e, layout.parameter_view, layout.parameter_kept, scale->values.data(), g, product);
    Values terms = g;
    combine(e, n, terms, product);
    const Values along = means(e, layout, terms);
    if (op_.centred()) {
      const Values mean = means(e, layout, g);
      combine(e, layout.group_view, layout.group_kept, mean.data(), g, difference);
    } else {
      e.internal.array(g.data(), static_cast<std::int64_t>(g.size()));
    }
    combine(e, layout.group_view, layout.group_kept, along.data(), n, product);
    combine(e, n, g, difference);
    combine(e, layout.group_view, layout.group_kept, s.inverse.data(), g, product);
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
    return {{op_.layout(view, view.input(1).shape).parameter_shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.input(0));
    if (!scale_) return {{"add", n}};
    return {{"add", (op_.centred() ? 4 : 2) * n}, {"mul", 3 * n}};
  }
  void forward(Evaluation& e) const override {
    const Values& x = e.inputs[1]->values;
    const NormLayout layout = op_.layout(e.view, e.inputs[1]->shape);
    Values terms = e.inputs[0]->values;
    if (scale_) {
      const NormStatistics s = norm_statistics(e, layout, x, op_.centred(), op_.epsilon(e.view));
      Values n(x.size());
      normalise(e, layout, s, x, nullptr, nullptr, n);
      combine(e, n, terms, product);
    }
    Values& sums = e.outputs[0].values;
    std::fill(sums.begin(), sums.end(), 0.0);
    OrderedReduction(layout.parameter_view, layout.parameter_kept)
        .run(terms.data(), sums.data(), e.parallel,
             [&](double so_far, double term, std::size_t) { return e.internal(so_far + term); });
  }

 private:
  const GroupNormOp& op_;
  bool scale_;
};

}  // namespace

NormStatistics norm_statistics(const Evaluation& e, const NormLayout& layout, const Values& x,
                               bool centred, double epsilon) {
  NormStatistics s;
  Values terms = x;
  if (centred) {
    s.mean = means(e, layout, terms);
    combine(e, layout.group_view, layout.group_kept, s.mean.data(), terms, difference);
  } else {
    s.mean.assign(size_of(element_count(layout.group_kept)), 0.0);
    e.internal.array(terms.data(), static_cast<std::int64_t>(terms.size()));
  }
  combine(e, terms, terms, product);
  s.variance = means(e, layout, terms);
  const VectorArithmetic& internal = e.internal;
  for (const double variance : s.variance)
    s.inverse.push_back(internal(internal.rsqrt(internal(variance + internal(epsilon)))));
  return s;
}

void normalise(const Evaluation& e, const NormLayout& layout, const NormStatistics& s,
               const Values& x, const Tensor* scale, const Tensor* bias, Values& y) {
  y = x;
  combine(e, layout.group_view, layout.group_kept, s.mean.data(), y, difference);
  combine(e, layout.group_view, layout.group_kept, s.inverse.data(), y, product);
  const auto with = [&](const Tensor& parameters, const auto& f) {
    combine(e, layout.parameter_view, layout.parameter_kept, parameters.values.data(), y, f);
  };
  if (scale != nullptr) with(*scale, product);
  if (bias != nullptr) with(*bias, sum);
}

std::vector<OutputSpec> GroupNormOp::infer(const NodeView& view) const {
  require_floating(view, 0);
  const Shape& x = view.input(0).shape;
  const NormLayout of_x = layout(view, x);
  for (int i = 1; i < std::min(3, view.input_count()); ++i)
    if (view.has_input(i) && view.input(i).shape != of_x.parameter_shape)
      shape_error(view.input(i).name + " must have shape " + to_string(of_x.parameter_shape) +
                  ", not " + to_string(view.input(i).shape));
  return {{x, ElementType::floating}};
}

std::vector<VectorWork> GroupNormOp::vector_work(const NodeView& view) const {
  const std::int64_t n = elements_of(view.input(0));
  const std::int64_t groups = element_count(layout(view, view.input(0).shape).group_kept);
  const std::int64_t scales = view.has_input(1) ? n : 0;
  const std::int64_t biases = view.has_input(2) ? n : 0;
  return {{"add", (centred_ ? 4 : 1) * n + biases},
          {"mul", 2 * n + scales},
          {"div", 2 * groups},
          {"sqrt", groups}};
}

void GroupNormOp::forward(Evaluation& e) const {
  const Values& x = e.inputs[0]->values;
  const NormLayout of_x = layout(e.view, e.inputs[0]->shape);
  const NormStatistics s = norm_statistics(e, of_x, x, centred_, epsilon(e.view));
  normalise(e, of_x, s, x, e.inputs.size() > 1 ? e.inputs[1] : nullptr,
            e.inputs.size() > 2 ? e.inputs[2] : nullptr, e.outputs[0].values);
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
