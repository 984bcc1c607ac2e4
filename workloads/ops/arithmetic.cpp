// SPDX-License-Identifier: Apache-2.0
// Element-wise arithmetic: Add, Sub, Mul, Div with NumPy broadcasting; Relu.
#include "workloads/ops/broadcast.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

enum class Binary { add, sub, mul, div };

double apply(Binary op, double x, double y) {
  switch (op) {
    case Binary::add:
      return x + y;
    case Binary::sub:
      return x - y;
    case Binary::mul:
      return x * y;
    case Binary::div:
      return x / y;
  }
  return 0.0;
}

class BinaryOp final : public SimpleOp {
 public:
  BinaryOp(const char* name, const char* description, Binary op, const char* function)
      : SimpleOp({name, description, OpClass::vector, 2, 2}), op_(op), function_(function) {}

  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {
        {broadcast_shape(view.input(0).shape, view.input(1).shape, name()), view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{function_, elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    Tensor& y = e.outputs[0];
    const Tensor& a = *e.inputs[0];
    const Tensor& b = *e.inputs[1];
    const BroadcastIndex from_a(a.shape, y.shape);
    const BroadcastIndex from_b(b.shape, y.shape);
    for_blocks(e.parallel, static_cast<std::int64_t>(y.values.size()),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i)
                   y.values[static_cast<std::size_t>(i)] =
                       e.internal(apply(op_, a.values[static_cast<std::size_t>(from_a(i))],
                                        b.values[static_cast<std::size_t>(from_b(i))]));
               });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0)) g.set_input_gradient(0, fitted(g, 0, by_first(g)));
    if (g.wanted(1)) g.set_input_gradient(1, fitted(g, 1, by_second(g)));
  }

 private:
  TensorId by_first(GradientBuilder& g) const {
    const TensorId dy = g.output_gradient(0);
    const TensorId b = g.view().node().inputs[1];
    if (op_ == Binary::mul) return node(g, 0, "Mul", "da", {dy, b});
    if (op_ == Binary::div) return node(g, 0, "Div", "da", {dy, b});
    return dy;
  }
  TensorId by_second(GradientBuilder& g) const {
    const TensorId dy = g.output_gradient(0);
    const TensorId a = g.view().node().inputs[0];
    const TensorId b = g.view().node().inputs[1];
    if (op_ == Binary::sub) return node(g, 1, "Neg", "db", {dy});
    if (op_ == Binary::mul) return node(g, 1, "Mul", "db", {dy, a});
    if (op_ == Binary::add) return dy;
    const TensorId y = g.view().node().outputs[0];  // of a division: -dy * y / b
    const TensorId product = node(g, 1, "Mul", "db.dy_y", {dy, y});
    return node(g, 1, "Neg", "db", {node(g, 1, "Div", "db.by_b", {product, b})});
  }
  static bool broadcast(GradientBuilder& g, int input) {
    return g.view().input(input).shape != g.view().output().shape;
  }
  static TensorId node(GradientBuilder& g, int input, const char* op, const char* suffix,
                       std::vector<TensorId> inputs) {
    return g.add(op, suffix, std::move(inputs), {},
                 broadcast(g, input) ? TensorRole::activation_gradient : gradient_role(g, input));
  }
  /// Sums over the broadcast dimensions where the operand was smaller than the result.
  static TensorId fitted(GradientBuilder& g, int input, TensorId gradient) {
    if (!broadcast(g, input)) return as_gradient_of(g, input, gradient);
    return g.add("ReduceToShape", input == 0 ? "da.reduced" : "db.reduced", {gradient},
                 {{"shape", g.view().input(input).shape}}, gradient_role(g, input));
  }

  Binary op_;
  const char* function_;
};

/// Element by element, one input, one output of the same shape.
class UnaryOp : public SimpleOp {
 public:
  UnaryOp(const char* name, const char* description, const char* function,
          std::vector<AttributeSpec> attributes = {})
      : SimpleOp({name, description, OpClass::vector, 1, 1, std::move(attributes)}),
        function_(function) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(0).shape, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{function_, elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    Tensor& y = e.outputs[0];
    for_blocks(e.parallel, static_cast<std::int64_t>(y.values.size()),
               [&](std::int64_t begin, std::int64_t end) {
                 for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end);
                      ++i)
                   y.values[i] = value(x.values[i]);
               });
  }
  bool differentiable() const override { return true; }

 protected:
  virtual double value(double x) const = 0;

 private:
  const char* function_;
};

class Relu final : public UnaryOp {
 public:
  Relu() : UnaryOp("Relu", "max(x, 0)", "max") {}
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0))
      g.set_input_gradient(
          0, g.add("ReluGradient", "dx", {g.output_gradient(0), g.view().node().outputs[0]}, {},
                   gradient_role(g, 0)));
  }

 protected:
  double value(double x) const override { return x > 0.0 || x != x ? x : 0.0; }
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
};

class Neg final : public UnaryOp {
 public:
  Neg() : UnaryOp("Neg", "-x", "mul") {}
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0))
      g.set_input_gradient(0, g.add("Neg", "dx", {g.output_gradient(0)}, {}, gradient_role(g, 0)));
  }

 protected:
  double value(double x) const override { return -x; }
};

/// dx = dy where the forward result was positive, else 0 (the subgradient 0 at 0).
class ReluGradient final : public SimpleOp {
 public:
  ReluGradient()
      : SimpleOp(
            {"ReluGradient", "gradient of Relu from (dy, y)", OpClass::vector, 2, 2, {}, true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    if (view.input(0).shape != view.input(1).shape)
      shape_error("ReluGradient: dy " + to_string(view.input(0).shape) + " and y " +
                  to_string(view.input(1).shape) + " differ");
    return {{view.input(0).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"compare", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& dy = e.inputs[0]->values;
    const std::vector<double>& y = e.inputs[1]->values;
    for (std::size_t i = 0; i < dy.size(); ++i) e.outputs[0].values[i] = y[i] > 0.0 ? dy[i] : 0.0;
  }
};

}  // namespace

void register_arithmetic(OpRegistry& registry) {
  registry.add(std::make_unique<BinaryOp>("Add", "a + b, broadcast", Binary::add, "add"));
  registry.add(std::make_unique<BinaryOp>("Sub", "a - b, broadcast", Binary::sub, "add"));
  registry.add(std::make_unique<BinaryOp>("Mul", "a * b, broadcast", Binary::mul, "mul"));
  registry.add(std::make_unique<BinaryOp>("Div", "a / b, broadcast", Binary::div, "div"));
  registry.add(std::make_unique<Relu>());
  registry.add(std::make_unique<Neg>());
  registry.add(std::make_unique<Scale>());
  registry.add(std::make_unique<ReluGradient>());
}

}  // namespace npusim::workloads
