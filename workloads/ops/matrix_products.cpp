// SPDX-License-Identifier: Apache-2.0
// Gemm and MatMul. `role` on Gemm says which product of a training step it is, so that a plan can
// order its K; it is set by gradients only. MatMul's transA and transB are not ONNX's: gradients
// and decompositions use them.
#include "workloads/ops/broadcast.h"
#include "workloads/ops/families.h"
#include "workloads/ops/matmul_shape.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

constexpr std::int64_t kNo = 0;
constexpr std::int64_t kYes = 1;

struct GemmShape {
  std::int64_t m = 1, n = 1, k = 1;
  bool trans_a = false, trans_b = false;
};

GemmShape gemm_shape(const NodeView& view) {
  require_rank(view, 0, 2, "operand A");
  require_rank(view, 1, 2, "operand B");
  const Shape& a = view.input(0).shape;
  const Shape& b = view.input(1).shape;
  GemmShape s;
  s.trans_a = view.integer("transA") != 0;
  s.trans_b = view.integer("transB") != 0;
  s.m = a[s.trans_a ? 1 : 0];
  s.k = a[s.trans_a ? 0 : 1];
  s.n = b[s.trans_b ? 0 : 1];
  if (b[s.trans_b ? 1 : 0] != s.k)
    shape_error("A " + to_string(a) + (s.trans_a ? "^T" : "") + " and B " + to_string(b) +
                (s.trans_b ? "^T" : "") + " do not multiply: K is " + std::to_string(s.k) +
                " and " + std::to_string(b[s.trans_b ? 1 : 0]));
  return s;
}

GemmRole role_of(const NodeView& view) {
  const std::string& role = view.text("role");
  for (const GemmRole known : {GemmRole::matmul, GemmRole::dgrad, GemmRole::wgrad})
    if (role == name_of(known)) return known;
  shape_error("attribute role \"" + role + "\" is none of matmul, dgrad, wgrad");
}

/// A weight's gradient sums over samples, another operand's over output features.
GemmRole product_role(TensorRole gradient) {
  return gradient == TensorRole::weight_gradient ? GemmRole::wgrad : GemmRole::dgrad;
}

std::vector<precision::ReduceDim> reduced(GemmRole role, std::int64_t k) {
  return {{role == GemmRole::wgrad ? "N" : "K", k}};
}

AttributeSpec role_attribute() {
  return {"role", std::string("matmul"), false, "matmul, or dgrad or wgrad in a gradient"};
}

class Gemm final : public SimpleOp {
 public:
  Gemm()
      : SimpleOp({"Gemm",
                  "alpha * A * B + beta * C, A and B optionally transposed",
                  OpClass::matrix,
                  2,
                  3,
                  {{"alpha", 1.0, false, "factor of the product"},
                   {"beta", 1.0, false, "factor of C"},
                   role_attribute(),
                   {"transA", std::int64_t{0}, false, "1: A is stored transposed"},
                   {"transB", std::int64_t{0}, false, "1: B is stored transposed"}}}) {}

  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const GemmShape s = gemm_shape(view);
    role_of(view);
    const Shape y = {s.m, s.n};
    if (view.has_input(2) && broadcast_shape(view.input(2).shape, y, "Gemm") != y)
      shape_error("C " + to_string(view.input(2).shape) + " does not broadcast to " + to_string(y));
    return {{y, ElementType::floating}};
  }
  std::optional<Contraction> contraction(const NodeView& view) const override {
    const GemmShape s = gemm_shape(view);
    Contraction c;
    c.role = role_of(view);
    c.m = s.m;
    c.n = s.n;
    c.dims = reduced(c.role, s.k);
    c.bias_input = bias_in_sum(view) ? 2 : -1;
    return c;
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t count = elements_of(view.output());
    std::vector<VectorWork> work;
    if (view.number("alpha") != 1.0) work.push_back({"mul", count});
    if (!view.has_input(2) || bias_in_sum(view)) return work;
    if (view.number("beta") != 1.0) work.push_back({"mul", elements_of(view.input(2))});
    work.push_back({"add", count});
    return work;
  }

  void forward(Evaluation& e) const override {
    const GemmShape s = gemm_shape(e.view);
    const double* a = e.inputs[0]->values.data();
    const double* b = e.inputs[1]->values.data();
    const precision::MatrixRows rows(a, s.m, s.k, s.trans_a ? 1 : s.k, s.trans_a ? s.m : 1);
    const precision::MatrixRows columns(b, s.n, s.k, s.trans_b ? s.k : 1, s.trans_b ? 1 : s.n);
    precision::Bias bias;
    if (bias_in_sum(e.view)) bias = {precision::Bias::Axis::by_column, e.inputs[2]->values.data()};
    precision::MatrixOutput out(e.outputs[0].values.data(), s.n);
    e.matrix.multiply(s.k, rows, columns, bias, out);
    if (!e.view.has_input(2) || !bias_in_sum(e.view)) scale_and_add(e);
  }

  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    const NodeView view = g.view();
    const TensorId dy = g.output_gradient(0);
    const TensorId a = view.node().inputs[0];
    const TensorId b = view.node().inputs[1];
    const std::int64_t trans_a = view.integer("transA");
    const std::int64_t trans_b = view.integer("transB");
    if (g.wanted(0))
      g.set_input_gradient(0, trans_a != 0 ? product(g, 0, b, dy, trans_b, kYes)
                                           : product(g, 0, dy, b, kNo, 1 - trans_b));
    if (g.wanted(1))
      g.set_input_gradient(1, trans_b != 0 ? product(g, 1, dy, a, kYes, trans_a)
                                           : product(g, 1, a, dy, 1 - trans_a, kNo));
    if (view.has_input(2) && g.wanted(2)) g.set_input_gradient(2, gradient_of_c(g, dy));
  }

  std::vector<std::string> decomposes_into() const override {
    return {"MatMul", "Add", "Transpose"};
  }
  std::vector<TensorId> decompose(DecompositionBuilder& d) const override {
    const NodeView view = d.view();
    const auto operand = [&](int i, const char* trans, const char* suffix) {
      const TensorId id = view.node().inputs[static_cast<std::size_t>(i)];
      if (view.integer(trans) == 0) return id;
      return d.add("Transpose", suffix, {id}, {{"perm", std::vector<std::int64_t>{1, 0}}});
    };
    const TensorId a = operand(0, "transA", "a_transposed");
    const TensorId b = operand(1, "transB", "b_transposed");
    const auto scaled = [&](TensorId id, double factor, const char* suffix) {
      return factor == 1.0 ? id : d.add("Scale", suffix, {id}, {{"factor", factor}});
    };
    const TensorId sums =
        scaled(d.add("MatMul", "product", {a, b}, {}), view.number("alpha"), "scaled");
    if (!view.has_input(2)) return {sums};
    const TensorId c = scaled(view.node().inputs[2], view.number("beta"), "scaled_bias");
    return {d.add("Add", "bias", {sums, c}, {})};
  }

 private:
  static TensorId product(GradientBuilder& g, int input, TensorId x, TensorId y,
                          std::int64_t trans_x, std::int64_t trans_y) {
    const TensorRole tensor = gradient_role(g, input);
    return g.add("Gemm", input == 0 ? "da" : "db", {x, y},
                 {{"alpha", g.view().number("alpha")},
                  {"role", std::string(name_of(product_role(tensor)))},
                  {"transA", trans_x},
                  {"transB", trans_y}},
                 tensor);
  }
  static TensorId gradient_of_c(GradientBuilder& g, TensorId dy) {
    const double beta = g.view().number("beta");
    const TensorRole role = gradient_role(g, 2);
    const TensorId sum =
        g.add("ReduceToShape", "dc", {dy}, {{"shape", g.view().input(2).shape}}, role);
    return beta == 1.0 ? sum : g.add("Scale", "dc.scaled", {sum}, {{"factor", beta}}, role);
  }
  /// C enters the sums when it is one value a column and nothing is scaled.
  static bool bias_in_sum(const NodeView& view) {
    if (!view.has_input(2) || view.number("alpha") != 1.0 || view.number("beta") != 1.0)
      return false;
    const GemmShape s = gemm_shape(view);
    const Shape& c = view.input(2).shape;
    return c == Shape{s.n} || c == Shape{1, s.n};
  }
  static void scale_and_add(Evaluation& e) {
    const double alpha = e.internal(e.view.number("alpha"));
    const double beta = e.internal(e.view.number("beta"));
    std::vector<double>& y = e.outputs[0].values;
    if (alpha != 1.0)
      for (double& value : y) value = e.internal(alpha * value);
    if (!e.view.has_input(2)) return;
    const BroadcastIndex from_c(e.inputs[2]->shape, e.outputs[0].shape);
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double c =
          e.inputs[2]->values[static_cast<std::size_t>(from_c(static_cast<std::int64_t>(i)))];
      y[i] = e.internal(y[i] + (beta == 1.0 ? c : e.internal(beta * c)));
    }
  }
};

class MatMul final : public SimpleOp {
 public:
  MatMul()
      : SimpleOp({"MatMul",
                  "matrix product, batched over leading dimensions",
                  OpClass::matrix,
                  2,
                  2,
                  {role_attribute(),
                   {"transA", std::int64_t{0}, false, "1: A is stored transposed"},
                   {"transB", std::int64_t{0}, false, "1: B is stored transposed"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    role_of(view);
    return {{shape_of(view).result(), ElementType::floating}};
  }
  std::optional<Contraction> contraction(const NodeView& view) const override {
    const MatMulShape s = shape_of(view);
    const GemmRole role = role_of(view);
    return s.contraction(role, reduced(role, s.k));
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    shape_of(e.view).multiply(e.matrix, e.inputs[0]->values, e.inputs[1]->values,
                              e.outputs[0].values);
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (g.view().input(0).shape.size() < 2 || g.view().input(1).shape.size() < 2)
      throw base::InputError("MatMul \"" + g.view().node().name +
                                 "\" of a vector has no gradient: reshape it to a matrix",
                             "no-gradient");
    const TensorId dy = g.output_gradient(0);
    const Node& node = g.view().node();
    const TensorId a = node.inputs[0];
    const TensorId b = node.inputs[1];
    const std::int64_t trans_a = g.view().integer("transA");
    const std::int64_t trans_b = g.view().integer("transB");
    if (g.wanted(0))
      g.set_input_gradient(0, trans_a != 0 ? product(g, 0, b, dy, trans_b, kYes)
                                           : product(g, 0, dy, b, kNo, 1 - trans_b));
    if (g.wanted(1))
      g.set_input_gradient(1, trans_b != 0 ? product(g, 1, dy, a, kYes, trans_a)
                                           : product(g, 1, a, dy, 1 - trans_a, kNo));
  }

 private:
  static MatMulShape shape_of(const NodeView& view) {
    return matmul_shape(view.input(0).shape, view.input(1).shape, view.integer("transA") != 0,
                        view.integer("transB") != 0);
  }
  static TensorId product(GradientBuilder& g, int input, TensorId x, TensorId y,
                          std::int64_t trans_x, std::int64_t trans_y) {
    const TensorRole role = gradient_role(g, input);
    const std::string suffix = input == 0 ? "da" : "db";
    const TensorId full = g.add("MatMul", suffix + ".product", {x, y},
                                {{"role", std::string(name_of(product_role(role)))},
                                 {"transA", trans_x},
                                 {"transB", trans_y}},
                                role);
    const Shape& shape = g.view().input(input).shape;
    if (g.view().graph().tensor(full).shape == shape) return full;
    return g.add("ReduceToShape", suffix, {full}, {{"shape", shape}}, role);
  }
};

}  // namespace

void register_matrix_products(OpRegistry& registry) {
  registry.add(std::make_unique<Gemm>());
  registry.add(std::make_unique<MatMul>());
}

}  // namespace npusim::workloads
