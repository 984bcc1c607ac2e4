// SPDX-License-Identifier: Apache-2.0
// The two ops that gradients of broadcasts and of reductions need.
#include "workloads/ops/broadcast.h"
#include "workloads/ops/families.h"
#include "workloads/ops/ordered_reduction.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

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
    std::vector<double>& sums = e.outputs[0].values;
    std::fill(sums.begin(), sums.end(), 0.0);
    OrderedReduction(e.inputs[0]->shape, e.view.integers("shape"))
        .run(e.inputs[0]->values.data(), sums.data(), e.parallel,
             [&](double sum, double x, std::size_t) { return e.internal(sum + x); });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0))
      g.set_input_gradient(
          0, g.add("ExpandToShape", "dx", {g.output_gradient(0)},
                   {{"kept", g.view().integers("shape")}, {"shape", g.view().input(0).shape}},
                   gradient_role(g, 0)));
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
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (!g.wanted(0)) return;
    const NodeView view = g.view();
    const double divisor = view.number("divisor");
    TensorId sum = g.add("ReduceToShape", "dx.sum", {g.output_gradient(0)},
                         {{"shape", view.integers("kept")}}, gradient_role(g, 0));
    if (divisor != 1.0)
      sum = g.add("Scale", "dx.scaled", {sum}, {{"factor", 1.0 / divisor}}, gradient_role(g, 0));
    g.set_input_gradient(0, g.add("ReshapeTo", "dx", {sum}, {{"shape", g.view().input(0).shape}},
                                  gradient_role(g, 0)));
  }
};

}  // namespace

void register_shape_gradients(OpRegistry& registry) {
  registry.add(std::make_unique<ReduceToShape>());
  registry.add(std::make_unique<ExpandToShape>());
}

}  // namespace npusim::workloads
