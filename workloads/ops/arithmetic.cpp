// SPDX-License-Identifier: Apache-2.0
// Add, Sub, Mul, Div, Pow with NumPy broadcasting. Integers wrap; their division truncates.
#include "workloads/detmath.h"
#include "workloads/ops/broadcast_gradient.h"
#include "workloads/ops/elementwise.h"
#include "workloads/ops/families.h"

namespace npusim::workloads {
namespace {

class Arithmetic : public SimpleOp {
 public:
  using Function = double (*)(double, double);
  Arithmetic(const char* name, const char* description, const char* work, Function function)
      : SimpleOp({name, description, OpClass::vector, 2, 2}), work_(work), function_(function) {}

  std::vector<OutputSpec> infer(const NodeView& view) const override {
    require_same_type(view, 0, 1);
    return {{broadcast_inputs(view), view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{work_, elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const Step step(e.internal, e.outputs[0].type);
    for_pairs(e.parallel, *e.inputs[0], *e.inputs[1], e.outputs[0],
              [&](double a, double b) { return step(function_(a, b)); });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0)) set_broadcast_gradient(g, 0, by_first(g));
    if (g.wanted(1)) set_broadcast_gradient(g, 1, by_second(g));
  }

 protected:
  virtual TensorId by_first(GradientBuilder& g) const = 0;
  virtual TensorId by_second(GradientBuilder& g) const = 0;

  static TensorId node(GradientBuilder& g, int input, const char* op, const char* suffix,
                       std::vector<TensorId> inputs) {
    return g.add(op, suffix, std::move(inputs), {}, broadcast_role(g, input));
  }
  static TensorId operand(const GradientBuilder& g, std::size_t i) {
    return g.view().node().inputs[i];
  }

 private:
  const char* work_;
  Function function_;
};

class Add final : public Arithmetic {
 public:
  Add() : Arithmetic("Add", "a + b, broadcast", "add", [](double a, double b) { return a + b; }) {}

 protected:
  TensorId by_first(GradientBuilder& g) const override { return g.output_gradient(0); }
  TensorId by_second(GradientBuilder& g) const override { return g.output_gradient(0); }
};

class Sub final : public Arithmetic {
 public:
  Sub() : Arithmetic("Sub", "a - b, broadcast", "add", [](double a, double b) { return a - b; }) {}

 protected:
  TensorId by_first(GradientBuilder& g) const override { return g.output_gradient(0); }
  TensorId by_second(GradientBuilder& g) const override {
    return node(g, 1, "Neg", "db", {g.output_gradient(0)});
  }
};

class Mul final : public Arithmetic {
 public:
  Mul() : Arithmetic("Mul", "a * b, broadcast", "mul", [](double a, double b) { return a * b; }) {}

 protected:
  TensorId by_first(GradientBuilder& g) const override {
    return node(g, 0, "Mul", "da", {g.output_gradient(0), operand(g, 1)});
  }
  TensorId by_second(GradientBuilder& g) const override {
    return node(g, 1, "Mul", "db", {g.output_gradient(0), operand(g, 0)});
  }
};

class Div final : public Arithmetic {
 public:
  Div() : Arithmetic("Div", "a / b, broadcast", "div", [](double a, double b) { return a / b; }) {}
  void forward(Evaluation& e) const override {
    if (e.outputs[0].type != ElementType::floating) return Arithmetic::forward(e);
    for_pairs(e.parallel, *e.inputs[0], *e.inputs[1], e.outputs[0],
              [&](double a, double b) { return e.internal(e.internal.divide(a, b)); });
  }

 protected:
  TensorId by_first(GradientBuilder& g) const override {
    return node(g, 0, "Div", "da", {g.output_gradient(0), operand(g, 1)});
  }
  /// -dy * y / b
  TensorId by_second(GradientBuilder& g) const override {
    const TensorId y = g.view().node().outputs[0];
    const TensorId product = node(g, 1, "Mul", "db.dy_y", {g.output_gradient(0), y});
    return node(g, 1, "Neg", "db", {node(g, 1, "Div", "db.by_b", {product, operand(g, 1)})});
  }
};

/// The exponent may have another type than the base.
class Pow final : public Arithmetic {
 public:
  Pow() : Arithmetic("Pow", "a to the power b, broadcast", "exp", det_pow) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{broadcast_inputs(view), view.input(0).type, view.input(0).format}};
  }

 protected:
  TensorId by_first(GradientBuilder& g) const override {
    return node(g, 0, "PowBaseGradient", "da",
                {g.output_gradient(0), operand(g, 0), operand(g, 1)});
  }
  TensorId by_second(GradientBuilder& g) const override {
    return node(g, 1, "PowExponentGradient", "db",
                {g.output_gradient(0), operand(g, 0), operand(g, 1)});
  }
};

/// Base: dy * b * a^(b-1). Exponent: dy * a^b * log(a), 0 where a is 0.
class PowGradient final : public SimpleOp {
 public:
  PowGradient(const char* name, bool exponent)
      : SimpleOp({name, "gradient of Pow from (dy, a, b)", OpClass::vector, 3, 3, {}, true}),
        exponent_(exponent) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{broadcast_inputs(view), ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    return {{"exp", n}, {exponent_ ? "log" : "add", n}, {"mul", 2 * n}};
  }
  void forward(Evaluation& e) const override {
    Tensor slope(e.outputs[0].shape);
    for_pairs(e.parallel, *e.inputs[1], *e.inputs[2], slope, [&](double a, double b) {
      if (!exponent_) return e.internal(b * e.internal(det_pow(a, b - 1.0)));
      return a == 0.0 ? 0.0 : e.internal(e.internal(det_pow(a, b)) * e.internal(e.internal.log(a)));
    });
    for_pairs(e.parallel, *e.inputs[0], slope, e.outputs[0],
              [&](double dy, double s) { return e.internal(dy * s); });
  }

 private:
  bool exponent_;
};

/// A constant factor: what is left of Gemm's alpha and beta in gradients and decompositions.
class Scale final : public SimpleOp {
 public:
  Scale()
      : SimpleOp({"Scale",
                  "x times a constant",
                  OpClass::vector,
                  1,
                  1,
                  {{"factor", 1.0, true, "the constant"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(0).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"mul", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const double factor = e.internal(e.view.number("factor"));
    const std::vector<double>& x = e.inputs[0]->values;
    for (std::size_t i = 0; i < x.size(); ++i) e.outputs[0].values[i] = e.internal(factor * x[i]);
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0))
      g.set_input_gradient(0, g.add("Scale", "dx", {g.output_gradient(0)},
                                    g.view().node().attributes, gradient_role(g, 0)));
  }
};

}  // namespace

void register_arithmetic(OpRegistry& registry) {
  registry.add(std::make_unique<Add>());
  registry.add(std::make_unique<Sub>());
  registry.add(std::make_unique<Mul>());
  registry.add(std::make_unique<Div>());
  registry.add(std::make_unique<Pow>());
  registry.add(std::make_unique<PowGradient>("PowBaseGradient", false));
  registry.add(std::make_unique<PowGradient>("PowExponentGradient", true));
  registry.add(std::make_unique<Scale>());
}

}  // namespace npusim::workloads
