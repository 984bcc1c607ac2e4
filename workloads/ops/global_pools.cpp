// SPDX-License-Identifier: Apache-2.0
// GlobalMaxPool, LpPool, GlobalLpPool, MaxUnpool, and Dropout of inference.
#include <cmath>

#include "workloads/detmath.h"
#include "workloads/ops/axes.h"
#include "workloads/ops/conv_geometry.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;

Shape one_position(const NodeView& view) {
  Shape y = view.input(0).shape;
  if (y.size() < 3) shape_error("x must have rank 3 or more, not shape " + to_string(y));
  if (extent_product(y, 2, y.size()) == 0) shape_error("x " + to_string(y) + " has no positions");
  std::fill(y.begin() + 2, y.end(), 1);
  return y;
}

class GlobalMaxPool final : public SimpleOp {
 public:
  GlobalMaxPool() : SimpleOp({"GlobalMaxPool", "largest over all positions of a channel"}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{one_position(view), view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"max", elements_of(view.input(0))}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& x = e.inputs[0]->values;
    const std::size_t planes = e.outputs[0].values.size();
    const std::size_t inner = planes == 0 ? 0 : x.size() / planes;
    for (std::size_t plane = 0; plane < planes; ++plane) {
      double best = x[plane * inner];
      for (std::size_t i = 1; i < inner; ++i) {
        const double value = x[plane * inner + i];
        if (value > best || value != value) best = value;
      }
      e.outputs[0].values[plane] = best;
    }
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    const Node& node = g.view().node();
    if (g.wanted(0))
      g.set_input_gradient(
          0, g.add("ReduceGradient", "dx", {g.output_gradient(0), node.inputs[0], node.outputs[0]},
                   {{"kept", g.view().output().shape}, {"of", std::string("ReduceMax")}},
                   gradient_role(g, 0)));
  }
};

/// (sum |x|^p)^(1/p), each power, sum and root rounded; p 1 and 2 take no transcendental function.
class PowerSum {
 public:
  PowerSum(std::int64_t p, const VectorArithmetic& internal) : p_(p), internal_(internal) {}
  void add(double x) { sum_ = internal_(sum_ + power(std::fabs(x))); }
  double root() const {
    if (p_ == 1) return sum_;
    if (p_ == 2) return internal_(internal_.sqrt(sum_));
    return internal_(det_pow(sum_, 1.0 / static_cast<double>(p_)));
  }

 private:
  double power(double x) const {
    if (p_ == 1) return x;
    return internal_(p_ == 2 ? x * x : det_pow(x, static_cast<double>(p_)));
  }
  std::int64_t p_;
  const VectorArithmetic& internal_;
  double sum_ = 0.0;
};

AttributeSpec p_attribute() {
  return {"p", std::int64_t{2}, false, "which norm"};
}

void check_p(const NodeView& view) {
  if (view.integer("p") < 1 || view.integer("p") > 1024)
    shape_error("attribute p must be positive");
}

class LpPool final : public SimpleOp {
 public:
  LpPool()
      : SimpleOp({"LpPool", "Lp norm of each window", OpClass::vector, 1, 1, lp_attributes()}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_p(view);
    return {{pool_geometry(view, view.input(0).shape).output_shape(), ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t taps =
        elements_of(view.output()) * pool_geometry(view, view.input(0).shape).taps();
    return {{"mul", taps}, {"add", taps}, {"sqrt", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const ConvGeometry g = pool_geometry(e.view, e.inputs[0]->shape);
    e.parallel(g.images * g.channels, [&](std::int64_t plane) {
      const double* in = e.inputs[0]->values.data() + plane * g.in_pixels();
      double* out = e.outputs[0].values.data() + plane * g.out_pixels();
      for (std::int64_t i = 0; i < g.out_pixels(); ++i) {
        PowerSum sum(e.view.integer("p"), e.internal);
        for_taps(g, i, [&](std::int64_t, std::int64_t offset) { sum.add(in[offset]); });
        out[i] = sum.root();
      }
    });
  }

 private:
  static std::vector<AttributeSpec> lp_attributes() {
    std::vector<AttributeSpec> result = window_attributes();
    result.push_back({"ceil_mode", std::int64_t{0}, false, "1: round the output size up"});
    result.push_back({"kernel_shape", Integers{}, true, "extent of a window in each dimension"});
    result.push_back(p_attribute());
    return result;
  }
};

class GlobalLpPool final : public SimpleOp {
 public:
  GlobalLpPool()
      : SimpleOp({"GlobalLpPool",
                  "Lp norm over all positions of a channel",
                  OpClass::vector,
                  1,
                  1,
                  {p_attribute()}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_p(view);
    return {{one_position(view), ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.input(0));
    return {{"mul", n}, {"add", n}, {"sqrt", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& x = e.inputs[0]->values;
    const std::size_t planes = e.outputs[0].values.size();
    const std::size_t inner = planes == 0 ? 0 : x.size() / planes;
    for (std::size_t plane = 0; plane < planes; ++plane) {
      PowerSum sum(e.view.integer("p"), e.internal);
      for (std::size_t i = 0; i < inner; ++i) sum.add(x[plane * inner + i]);
      e.outputs[0].values[plane] = sum.root();
    }
  }
};

/// The reverse of MaxPool with indices: values go where the indices say, the rest is 0.
class MaxUnpool final : public SimpleOp {
 public:
  MaxUnpool()
      : SimpleOp({"MaxUnpool",
                  "values at MaxPool's indices (input 1), else 0; shape by the windows or input 2",
                  OpClass::vector,
                  2,
                  3,
                  {{"kernel_shape", Integers{}, true, "extent of a window in each dimension"},
                   {"pads", Integers{}, false, "begins, then ends; default 0"},
                   {"strides", Integers{}, false, "default 1"}},
                  false,
                  1,
                  1,
                  {2}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    if (view.input(1).shape != x)
      shape_error("indices " + to_string(view.input(1).shape) + " and values " + to_string(x) +
                  " differ");
    const Shape by_window = unpooled(view, x);
    if (!view.has_input(2)) return {{by_window, view.input(0).type}};
    const Shape given = view.constant_integers(2);
    if (given.size() != x.size() || element_count(given) < element_count(by_window))
      shape_error("output_shape " + to_string(given) + " is smaller than " + to_string(by_window));
    return {{given, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"copy", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    Tensor& y = e.outputs[0];
    std::fill(y.values.begin(), y.values.end(), 0.0);
    // Indices count in the tensor that the windows alone would give.
    const Shape inner = unpooled(e.view, e.inputs[0]->shape);
    const Integers strides = strides_of(y.shape);
    for (std::size_t i = 0; i < e.inputs[0]->values.size(); ++i) {
      double rest = e.inputs[1]->values[i];
      std::int64_t offset = 0;
      for (std::size_t d = inner.size(); d-- > 0;) {
        offset +=
            static_cast<std::int64_t>(std::fmod(rest, static_cast<double>(inner[d]))) * strides[d];
        rest = std::floor(rest / static_cast<double>(inner[d]));
      }
      if (rest != 0.0 || e.inputs[1]->values[i] < 0.0 || offset < 0)
        throw base::InputError("an index is outside " + to_string(inner), "out-of-range");
      y.values[static_cast<std::size_t>(offset)] = e.inputs[0]->values[i];
    }
  }

 private:
  static Shape unpooled(const NodeView& view, const Shape& x) {
    const Integers& kernel = view.integers("kernel_shape");
    const std::size_t count = kernel.size();
    Integers strides = view.integers("strides");
    Integers pads = view.integers("pads");
    if (strides.empty()) strides.assign(count, 1);
    if (pads.empty()) pads.assign(2 * count, 0);
    if (x.size() != count + 2 || strides.size() != count || pads.size() != 2 * count)
      shape_error("kernel_shape, strides and pads do not fit " + to_string(x));
    Shape y = x;
    for (std::size_t d = 0; d < count; ++d) {
      const std::int64_t most = std::int64_t{1} << 20;
      if (strides[d] < 1 || strides[d] > most || kernel[d] < 1 || kernel[d] > most || pads[d] < 0 ||
          pads[d] > most || pads[d + count] < 0 || pads[d + count] > most || x[d + 2] > most)
        shape_error("kernel_shape, strides or pads are out of range");
      y[d + 2] = (x[d + 2] - 1) * strides[d] + kernel[d] - pads[d] - pads[d + count];
      if (y[d + 2] < 1) shape_error("the pads take all of " + to_string(x));
    }
    return y;
  }
};

class Dropout final : public SimpleOp {
 public:
  Dropout()
      : SimpleOp({"Dropout",
                  "x: inference keeps every element (second output: a mask of true)",
                  OpClass::view,
                  1,
                  3,
                  {{"ratio", 0.5, false, "share that training drops"},
                   {"seed", std::int64_t{0}, false, "of training"}},
                  false,
                  1,
                  2,
                  {1, 2}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const bool training = view.has_input(2) && view.constant(2).values.at(0) != 0.0;
    const double ratio = view.has_input(1) ? view.constant(1).values.at(0) : view.number("ratio");
    if (training && ratio != 0.0)
      throw base::InputError("Dropout with training_mode draws random numbers: not supported",
                             "unsupported-random");
    const Shape& x = view.input(0).shape;
    return {{x, view.input(0).type}, {x, ElementType::boolean}};
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    e.outputs[0].values = e.inputs[0]->values;
    if (e.outputs.size() > 1)
      std::fill(e.outputs[1].values.begin(), e.outputs[1].values.end(), 1.0);
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0)) g.set_input_gradient(0, as_gradient_of(g, 0, g.output_gradient(0)));
  }
};

}  // namespace

void register_global_pools(OpRegistry& registry) {
  registry.add(std::make_unique<GlobalMaxPool>());
  registry.add(std::make_unique<LpPool>());
  registry.add(std::make_unique<GlobalLpPool>());
  registry.add(std::make_unique<MaxUnpool>());
  registry.add(std::make_unique<Dropout>());
}

}  // namespace npusim::workloads
