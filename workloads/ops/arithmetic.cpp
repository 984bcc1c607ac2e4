// SPDX-License-Identifier: Apache-2.0
// Element-wise arithmetic: Add, Sub, Mul, Div with NumPy broadcasting; Relu, Identity, Cast.
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
    const TensorId dy = g.output_gradient(0);
    const Node& node = g.view().node();
    const TensorId a = node.inputs[0];
    const TensorId b = node.inputs[1];
    if (g.wanted(0)) {
      TensorId da = dy;
      if (op_ == Binary::mul) da = gradient_node(g, "Mul", "da", {dy, b});
      if (op_ == Binary::div) da = gradient_node(g, "Div", "da", {dy, b});
      g.set_input_gradient(0, reduced(g, 0, da));
    }
    if (!g.wanted(1)) return;
    TensorId db = dy;
    if (op_ == Binary::sub) db = gradient_node(g, "Neg", "db", {dy});
    if (op_ == Binary::mul) db = gradient_node(g, "Mul", "db", {dy, a});
    if (op_ == Binary::div) {  // -dy * y / b
      const TensorId scaled = gradient_node(g, "Mul", "db.dy_y", {dy, node.outputs[0]});
      const TensorId quotient = gradient_node(g, "Div", "db.by_b", {scaled, b});
      db = gradient_node(g, "Neg", "db", {quotient});
    }
    g.set_input_gradient(1, reduced(g, 1, db));
  }

 private:
  static TensorId gradient_node(GradientBuilder& g, const char* op, const char* suffix,
                                std::vector<TensorId> inputs) {
    return g.add(op, suffix, std::move(inputs), {}, TensorRole::activation_gradient);
  }
  /// Sums over the broadcast dimensions where the operand was smaller than the result.
  static TensorId reduced(GradientBuilder& g, int input, TensorId gradient) {
    const Shape& shape = g.view().input(input).shape;
    if (shape == g.view().output().shape) return gradient;
    return g.add("ReduceToShape", input == 0 ? "da.reduced" : "db.reduced", {gradient},
                 {{"shape", shape}}, TensorRole::activation_gradient);
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
                   TensorRole::activation_gradient));
  }

 protected:
  double value(double x) const override { return x > 0.0 || x != x ? x : 0.0; }
};

class Neg final : public UnaryOp {
 public:
  Neg() : UnaryOp("Neg", "-x", "mul") {}
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0))
      g.set_input_gradient(
          0, g.add("Neg", "dx", {g.output_gradient(0)}, {}, TensorRole::activation_gradient));
  }

 protected:
  double value(double x) const override { return -x; }
};

/// Identity and Cast: the values; a change of format happens when the result is stored.
class Copy final : public UnaryOp {
 public:
  Copy(const char* name, const char* description) : UnaryOp(name, description, "copy") {}
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0)) g.set_input_gradient(0, g.output_gradient(0));
  }

 protected:
  double value(double x) const override { return x; }
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
  registry.add(std::make_unique<Copy>("Identity", "x"));
  registry.add(std::make_unique<Copy>("Cast", "x in the storage format of the result"));
  registry.add(std::make_unique<ReluGradient>());
}

}  // namespace npusim::workloads
