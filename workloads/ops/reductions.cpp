// SPDX-License-Identifier: Apache-2.0
// ReduceSum and ReduceMean over fixed axes, and the two ops that gradients of broadcasts need. Sums
// run in index order, one rounding each.
#include "workloads/ops/broadcast.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

/// The shape with the reduced axes set to 1.
Shape kept_shape(const NodeView& view) {
  Shape kept = view.input(0).shape;
  const auto rank = static_cast<std::int64_t>(kept.size());
  const std::vector<std::int64_t>& axes = view.integers("axes");
  if (axes.empty()) std::fill(kept.begin(), kept.end(), 1);
  for (const std::int64_t axis : axes) {
    const std::int64_t positive = axis < 0 ? axis + rank : axis;
    if (positive < 0 || positive >= rank)
      shape_error("axis " + std::to_string(axis) + " is outside shape " +
                  to_string(view.input(0).shape));
    kept[static_cast<std::size_t>(positive)] = 1;
  }
  return kept;
}

/// to[broadcast position] += from, in the order of from.
void sum_into(const Tensor& from, const Shape& kept, std::vector<double>& to,
              const precision::Rounder& internal) {
  std::fill(to.begin(), to.end(), 0.0);
  const BroadcastIndex target(kept, from.shape);
  for (std::size_t i = 0; i < from.values.size(); ++i) {
    double& sum = to[static_cast<std::size_t>(target(static_cast<std::int64_t>(i)))];
    sum = internal(sum + from.values[i]);
  }
}

class Reduce final : public SimpleOp {
 public:
  Reduce(const char* name, const char* description, bool mean)
      : SimpleOp({name,
                  description,
                  OpClass::vector,
                  1,
                  1,
                  {{"axes", std::vector<std::int64_t>{}, false, "axes to reduce; default all"},
                   {"keepdims", std::int64_t{1}, false, "1: reduced axes stay with extent 1"}}}),
        mean_(mean) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape kept = kept_shape(view);
    if (view.integer("keepdims") != 0) return {{kept, ElementType::floating}};
    const Shape& x = view.input(0).shape;
    const std::vector<std::int64_t>& axes = view.integers("axes");
    Shape y;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto axis = static_cast<std::int64_t>(i);
      const auto same = [&](std::int64_t a) {
        return a == axis || a + static_cast<std::int64_t>(x.size()) == axis;
      };
      if (!axes.empty() && std::none_of(axes.begin(), axes.end(), same)) y.push_back(x[i]);
    }
    return {{y, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    std::vector<VectorWork> work = {{"add", elements_of(view.input(0))}};
    if (mean_) work.push_back({"div", elements_of(view.output())});
    return work;
  }
  void forward(Evaluation& e) const override {
    std::vector<double>& y = e.outputs[0].values;
    sum_into(*e.inputs[0], kept_shape(e.view), y, e.internal);
    const double count =
        static_cast<double>(e.inputs[0]->values.size()) / static_cast<double>(y.size());
    for (std::size_t i = 0; mean_ && i < y.size(); ++i) y[i] = e.internal(y[i] / count);
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (!g.wanted(0)) return;
    const NodeView view = g.view();
    const double count = static_cast<double>(elements_of(view.input(0))) /
                         static_cast<double>(elements_of(view.output()));
    g.set_input_gradient(0, g.add("ExpandToShape", "dx", {g.output_gradient(0)},
                                  {{"divisor", mean_ ? count : 1.0},
                                   {"kept", kept_shape(view)},
                                   {"shape", view.input(0).shape}},
                                  gradient_role(g, 0)));
  }

 private:
  bool mean_;
};

class ReduceToShape final : public SimpleOp {
 public:
  ReduceToShape()
      : SimpleOp({"ReduceToShape",
                  "sums a gradient down to the shape of a broadcast operand",
                  OpClass::vector,
                  1,
                  1,
                  {{"shape", std::vector<std::int64_t>{}, true, "shape of the operand"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    const Shape& to = view.integers("shape");
    if (broadcast_shape(x, to, "ReduceToShape") != x)
      shape_error("shape " + to_string(to) + " does not broadcast to " + to_string(x));
    return {{to, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"add", elements_of(view.input(0))}};
  }
  void forward(Evaluation& e) const override {
    sum_into(*e.inputs[0], e.view.integers("shape"), e.outputs[0].values, e.internal);
  }
};

class ExpandToShape final : public SimpleOp {
 public:
  ExpandToShape()
      : SimpleOp({"ExpandToShape",
                  "repeats a gradient over reduced axes, divided by a count",
                  OpClass::vector,
                  1,
                  1,
                  {{"divisor", 1.0, false, "1, or the number of elements of a mean"},
                   {"kept", std::vector<std::int64_t>{}, true,
                    "the gradient's shape with reduced axes as 1"},
                   {"shape", std::vector<std::int64_t>{}, true, "shape of the result"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.integers("shape"), ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    std::vector<VectorWork> work = {{"copy", elements_of(view.output())}};
    if (view.number("divisor") != 1.0) work.push_back({"div", elements_of(view.input(0))});
    return work;
  }
  void forward(Evaluation& e) const override {
    Tensor& y = e.outputs[0];
    const double divisor = e.view.number("divisor");
    const BroadcastIndex from(e.view.integers("kept"), y.shape);
    for (std::size_t i = 0; i < y.values.size(); ++i)
      y.values[i] = e.internal(
          e.inputs[0]->values[static_cast<std::size_t>(from(static_cast<std::int64_t>(i)))] /
          divisor);
  }
};

}  // namespace

void register_reductions(OpRegistry& registry) {
  registry.add(std::make_unique<Reduce>("ReduceSum", "sum over axes", false));
  registry.add(std::make_unique<Reduce>("ReduceMean", "mean over axes", true));
  registry.add(std::make_unique<ReduceToShape>());
  registry.add(std::make_unique<ExpandToShape>());
}

}  // namespace npusim::workloads
