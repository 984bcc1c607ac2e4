// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/movement.h"

namespace npusim::workloads {
namespace {

class MovementGradient final : public SimpleOp {
 public:
  explicit MovementGradient(const Movement& op)
      : SimpleOp({op.name() + "Gradient", "gradient of " + op.name() + ": sums dy to its sources",
                  OpClass::vector, op.min_inputs(), op.max_inputs(), attributes_of(op), true, 1, 1,
                  op.constant_inputs()}),
        op_(op) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& x = view.integers("x_shape");
    if (op_.result_shape(view, x) != view.input(0).shape)
      shape_error("dy " + to_string(view.input(0).shape) + " is not of the result's shape");
    return {{x, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"add", elements_of(view.input(0))}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& dy = *e.inputs[0];
    Tensor& dx = e.outputs[0];
    const std::vector<std::int64_t> from = op_.sources({e.view, dx.shape, dy.shape, e.inputs});
    std::fill(dx.values.begin(), dx.values.end(), 0.0);
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (from[i] == kFill) continue;
      double& sum = dx.values[static_cast<std::size_t>(from[i])];
      sum = e.internal(sum + dy.values[i]);
    }
  }

 private:
  static std::vector<AttributeSpec> attributes_of(const Movement& op) {
    std::vector<AttributeSpec> attributes = op.attributes();
    attributes.push_back({"x_shape", Shape{}, true, "shape of the gradient"});
    return attributes;
  }

  const Movement& op_;
};

}  // namespace

std::vector<OutputSpec> Movement::infer(const NodeView& view) const {
  return {{result_shape(view, view.input(0).shape), view.input(0).type}};
}

std::vector<VectorWork> Movement::vector_work(const NodeView& view) const {
  if (op_class() == OpClass::view) return {};
  return {{"copy", elements_of(view.output())}};
}

void Movement::forward(Evaluation& e) const {
  const Tensor& x = *e.inputs[0];
  Tensor& y = e.outputs[0];
  const Move move{e.view, x.shape, y.shape, e.inputs};
  const std::vector<std::int64_t> from = sources(move);
  NPUSIM_CHECK(from.size() == y.values.size(), name() + " has other sources than elements");
  const double other = wrapped(fill(move), y.type);
  for (std::size_t i = 0; i < from.size(); ++i)
    y.values[i] = from[i] == kFill ? other : x.values[static_cast<std::size_t>(from[i])];
}

void Movement::gradient(GradientBuilder& g) const {
  for (int i = 1; i < g.view().input_count(); ++i) refuse_gradient(g, i);
  if (!g.wanted(0)) return;
  const NodeView view = g.view();
  std::vector<TensorId> inputs = view.node().inputs;
  inputs[0] = g.output_gradient(0);
  if (inputs[0] == kNoTensor) return;
  Attributes attributes = gradient_attributes(view);
  attributes["x_shape"] = view.input(0).shape;
  g.set_input_gradient(0,
                       g.add(name() + "Gradient", "dx", inputs, attributes, gradient_role(g, 0)));
}

void register_movement(OpRegistry& registry, std::unique_ptr<Movement> op) {
  registry.add(std::make_unique<MovementGradient>(*op));
  registry.add(std::move(op));
}

}  // namespace npusim::workloads
