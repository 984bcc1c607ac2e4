// SPDX-License-Identifier: Apache-2.0
// Relu, whose gradient needs only its result, and the rectifiers with more inputs: PRelu, Clip.
#include <cmath>
#include <limits>

#include "workloads/ops/broadcast_gradient.h"
#include "workloads/ops/elementwise.h"
#include "workloads/ops/families.h"

namespace npusim::workloads {
namespace {

class Relu final : public SimpleOp {
 public:
  Relu() : SimpleOp({"Relu", "max(x, 0)"}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(0).shape, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"max", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& x = e.inputs[0]->values;
    for_blocks(
        e.parallel, static_cast<std::int64_t>(x.size()), [&](std::int64_t begin, std::int64_t end) {
          for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
            e.outputs[0].values[i] = x[i] > 0.0 || x[i] != x[i] ? x[i] : 0.0;
        });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0))
      g.set_input_gradient(
          0, g.add("ReluGradient", "dx", {g.output_gradient(0), g.view().node().outputs[0]}, {},
                   gradient_role(g, 0)));
  }
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

class PRelu final : public SimpleOp {
 public:
  PRelu() : SimpleOp({"PRelu", "x, or slope * x below 0", OpClass::vector, 2, 2}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    require_same_type(view, 0, 1);
    const Shape& x = view.input(0).shape;
    if (broadcast_inputs(view) != x)
      shape_error("slope " + to_string(view.input(1).shape) + " does not broadcast to " +
                  to_string(x));
    return {{x, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"compare", elements_of(view.output())}, {"mul", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const Step step(e.internal, e.outputs[0].type);
    for_pairs(e.parallel, *e.inputs[0], *e.inputs[1], e.outputs[0],
              [&](double x, double slope) { return x < 0.0 ? step(slope * x) : x; });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    const Node& node = g.view().node();
    for (int i = 0; i < 2; ++i)
      if (g.wanted(i))
        set_broadcast_gradient(g, i,
                               g.add("PReluGradient", i == 0 ? "da" : "db",
                                     {g.output_gradient(0), node.inputs[0], node.inputs[1]},
                                     {{"input", std::int64_t{i}}}, broadcast_role(g, i)));
  }
};

/// Below 0 by x: dy * slope, by slope: dy * x; else dy and 0.
class PReluGradient final : public SimpleOp {
 public:
  PReluGradient()
      : SimpleOp({"PReluGradient",
                  "gradient of PRelu from (dy, x, slope)",
                  OpClass::vector,
                  3,
                  3,
                  {{"input", std::int64_t{0}, true, "0: by x, 1: by slope"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(0).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"compare", elements_of(view.output())}, {"mul", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const bool by_x = e.view.integer("input") == 0;
    Tensor factor(e.outputs[0].shape);
    for_pairs(e.parallel, *e.inputs[1], *e.inputs[2], factor, [&](double x, double slope) {
      if (by_x) return x < 0.0 ? slope : 1.0;
      return x < 0.0 ? x : 0.0;
    });
    for_pairs(e.parallel, *e.inputs[0], factor, e.outputs[0],
              [&](double dy, double f) { return e.internal(dy * f); });
  }
};

std::vector<AttributeSpec> limit_attributes() {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return {{"max", kInfinity, false, "where no input gives it"},
          {"min", -kInfinity, false, "where no input gives it"}};
}

/// Limits: the inputs (scalars), else the attributes of older opsets.
struct Limits {
  double low, high;
  Limits(const Evaluation& e, std::size_t first)
      : low(of(e, first, "min")), high(of(e, first + 1, "max")) {}

 private:
  static double of(const Evaluation& e, std::size_t i, const char* attribute) {
    const bool given = i < e.inputs.size() && e.inputs[i] != nullptr;
    return given ? e.inputs[i]->values.at(0) : e.view.number(attribute);
  }
};

class Clip final : public SimpleOp {
 public:
  Clip()
      : SimpleOp({"Clip", "x limited to [min, max]", OpClass::vector, 1, 3, limit_attributes()}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    for (int i = 1; i < 3; ++i)
      if (view.has_input(i) && elements_of(view.input(i)) != 1)
        shape_error(view.input(i).name + " must be a scalar");
    return {{view.input(0).shape, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"max", 2 * elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const Limits limits(e, 1);
    const std::vector<double>& x = e.inputs[0]->values;
    for (std::size_t i = 0; i < x.size(); ++i)
      e.outputs[0].values[i] =
          x[i] == x[i] ? std::min(std::max(x[i], limits.low), limits.high) : x[i];
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    refuse_gradient(g, 1);
    refuse_gradient(g, 2);
    if (!g.wanted(0)) return;
    std::vector<TensorId> inputs = g.view().node().inputs;
    inputs.insert(inputs.begin(), g.output_gradient(0));
    g.set_input_gradient(
        0, g.add("ClipGradient", "dx", inputs, g.view().node().attributes, gradient_role(g, 0)));
  }
};

class ClipGradient final : public SimpleOp {
 public:
  ClipGradient()
      : SimpleOp({"ClipGradient", "dy where x is inside (min, max), from (dy, x, min, max)",
                  OpClass::vector, 2, 4, limit_attributes(), true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(0).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"compare", 2 * elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const Limits limits(e, 2);
    const std::vector<double>& dy = e.inputs[0]->values;
    const std::vector<double>& x = e.inputs[1]->values;
    for (std::size_t i = 0; i < x.size(); ++i)
      e.outputs[0].values[i] = x[i] > limits.low && x[i] < limits.high ? dy[i] : 0.0;
  }
};

}  // namespace

void register_rectifiers(OpRegistry& registry) {
  registry.add(std::make_unique<Relu>());
  registry.add(std::make_unique<ReluGradient>());
  registry.add(std::make_unique<PRelu>());
  registry.add(std::make_unique<PReluGradient>());
  registry.add(std::make_unique<Clip>());
  registry.add(std::make_unique<ClipGradient>());
}

}  // namespace npusim::workloads
