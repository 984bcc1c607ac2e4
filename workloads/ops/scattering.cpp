// SPDX-License-Identifier: Apache-2.0
// ScatterElements (and its old name Scatter), ScatterND, TensorScatter: a copy of x with updates
// written, added, ... at indices, in index order. Gradients exist for reductions none and add; with
// none, indices must not repeat (ONNX leaves the result open then).
#include "workloads/ops/axes.h"
#include "workloads/ops/families.h"
#include "workloads/ops/indexing.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;

AttributeSpec reduction_attribute() {
  return {"reduction", std::string("none"), false, "none, add, mul, max or min"};
}
AttributeSpec axis_attribute() {
  return {"axis", std::int64_t{0}, false, "axis that the indices run along"};
}

double combined(const std::string& reduction, double old, double update, const Step& step) {
  if (reduction == "add") return step(old + update);
  if (reduction == "mul") return step(old * update);
  if (reduction == "max") return std::max(old, update);
  if (reduction == "min") return std::min(old, update);
  return update;
}

class Scatter : public SimpleOp {
 public:
  explicit Scatter(OpFacts facts, const char* gather)
      : SimpleOp(std::move(facts)), gather_(gather) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const std::string& reduction = view.text("reduction");
    if (reduction != "none" && reduction != "add" && reduction != "mul" && reduction != "max" &&
        reduction != "min")
      shape_error("attribute reduction \"" + reduction + "\" is none of none, add, mul, max, min");
    const Shape wanted = update_shape(view);
    if (view.input(2).shape != wanted)
      shape_error("updates " + to_string(view.input(2).shape) + " must have shape " +
                  to_string(wanted));
    return {{view.input(0).shape, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    std::vector<VectorWork> work = {{"copy", elements_of(view.output())}};
    const std::string& reduction = view.text("reduction");
    const char* function = reduction == "none"  ? "copy"
                           : reduction == "add" ? "add"
                           : reduction == "mul" ? "mul"
                                                : "max";
    work.push_back({function, elements_of(view.input(2))});
    return work;
  }
  void forward(Evaluation& e) const override {
    Tensor& y = e.outputs[0];
    y.values = e.inputs[0]->values;
    const Step step(e.internal, y.type);
    const std::string& reduction = e.view.text("reduction");
    const Integers targets = targets_of(e.view, e.inputs[0]->shape, *e.inputs[1]);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      double& value = y.values[static_cast<std::size_t>(targets[i])];
      value = combined(reduction, value, e.inputs[2]->values[i], step);
    }
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    const NodeView view = g.view();
    const std::string& reduction = view.text("reduction");
    if (reduction != "none" && reduction != "add")
      throw base::InputError(view.node().op + " \"" + view.node().name +
                                 "\" has no gradient with reduction " + reduction,
                             "no-gradient");
    const TensorId dy = g.output_gradient(0);
    const TensorId indices = view.node().inputs[1];
    Attributes axis = view.node().attributes;
    axis.erase("reduction");
    if (g.wanted(2))
      g.set_input_gradient(2, g.add(gather_, "dupdates", {dy, indices}, axis, gradient_role(g, 2)));
    if (!g.wanted(0)) return;
    if (reduction == "add") return g.set_input_gradient(0, as_gradient_of(g, 0, dy));
    const TensorId zeros = g.add("Filled", "zeros", {}, {{"shape", view.input(2).shape}},
                                 TensorRole::activation_gradient);
    g.set_input_gradient(0, g.add(view.node().op, "dx", {dy, indices, zeros},
                                  view.node().attributes, gradient_role(g, 0)));
  }

 protected:
  virtual Shape update_shape(const NodeView& view) const = 0;
  /// The offset in x of each update.
  virtual Integers targets_of(const NodeView& view, const Shape& x,
                              const Tensor& indices) const = 0;

 private:
  const char* gather_;
};

class ScatterElements final : public Scatter {
 public:
  explicit ScatterElements(const char* name)
      : Scatter({name,
                 "x with updates at the indices along an axis",
                 OpClass::vector,
                 3,
                 3,
                 {axis_attribute(), reduction_attribute()}},
                "GatherElements") {}

 protected:
  Shape update_shape(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    check_element_indices(x, view.input(1).shape, positive_axis(view.integer("axis"), x.size()));
    return view.input(1).shape;
  }
  Integers targets_of(const NodeView& view, const Shape& x, const Tensor& indices) const override {
    return element_targets(x, indices, positive_axis(view.integer("axis"), x.size()));
  }
};

class ScatterND final : public Scatter {
 public:
  ScatterND()
      : Scatter({"ScatterND",
                 "x with slices written at index tuples, the last dimension of input 1",
                 OpClass::vector,
                 3,
                 3,
                 {reduction_attribute()}},
                "GatherND") {}

 protected:
  Shape update_shape(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    const Shape& indices = view.input(1).shape;
    if (indices.empty() || indices.back() > static_cast<std::int64_t>(x.size()))
      shape_error("index tuples of " + to_string(indices) + " are longer than " + to_string(x));
    Shape updates(indices.begin(), indices.end() - 1);
    updates.insert(updates.end(), x.begin() + indices.back(), x.end());
    return updates;
  }
  Integers targets_of(const NodeView&, const Shape& x, const Tensor& indices) const override {
    const Slices slices = tuple_slices(x, indices);
    Integers targets;
    for (const std::int64_t start : slices.starts)
      for (std::int64_t i = 0; i < slices.length; ++i) targets.push_back(start + i);
    return targets;
  }
};

/// The update of a key-value cache: row t of `update` goes to row write_indices[batch] + t.
class TensorScatter final : public SimpleOp {
 public:
  TensorScatter()
      : SimpleOp({"TensorScatter",
                  "past cache (B, ..., S, ...) with an update written along axis from "
                  "write_indices[B] (input 2; default 0)",
                  OpClass::vector,
                  2,
                  3,
                  {{"axis", std::int64_t{-2}, false, "the sequence axis, not 0"},
                   {"mode", std::string("linear"), false,
                    "linear, or circular: past the end goes "
                    "on at the start"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    const std::size_t axis = positive_axis(view.integer("axis"), x.size());
    if (axis == 0) shape_error("axis 0 is the batch's");
    const std::string& mode = view.text("mode");
    if (mode != "linear" && mode != "circular")
      shape_error("attribute mode \"" + mode + "\" is none of linear, circular");
    Shape fitted = view.input(1).shape;
    const bool fits = fitted.size() == x.size() && fitted[axis] <= x[axis];
    if (fits) fitted[axis] = x[axis];
    if (!fits || fitted != x)
      shape_error("update " + to_string(view.input(1).shape) + " does not fit cache " +
                  to_string(x));
    if (view.has_input(2) && view.input(2).shape != Shape{x[0]})
      shape_error("write_indices must have shape [" + std::to_string(x[0]) + "]");
    return {{x, view.input(0).type}};
  }
  /// In place: only what is written moves.
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"copy", elements_of(view.input(1))}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& update = *e.inputs[1];
    Tensor& y = e.outputs[0];
    y.values = e.inputs[0]->values;
    const std::size_t axis = positive_axis(e.view.integer("axis"), y.shape.size());
    const Integers strides = strides_of(y.shape);
    const bool circular = e.view.text("mode") == "circular";
    for_positions(update.shape, [&](std::int64_t i, const Integers& at) {
      std::int64_t offset = 0;
      for (std::size_t d = 0; d < at.size(); ++d)
        offset += strides[d] * (d == axis ? row(e, at, axis, circular) : at[d]);
      y.values[static_cast<std::size_t>(offset)] = update.values[static_cast<std::size_t>(i)];
    });
  }

 private:
  static std::int64_t row(const Evaluation& e, const Integers& at, std::size_t axis,
                          bool circular) {
    const bool given = e.inputs.size() > 2 && e.inputs[2] != nullptr;
    const double start = given ? e.inputs[2]->values[static_cast<std::size_t>(at[0])] : 0.0;
    const std::int64_t extent = e.outputs[0].shape[axis];
    const std::int64_t target = checked_index(start, extent) + at[axis];
    if (!circular) return checked_index(static_cast<double>(target), extent);
    return target % extent;
  }
};

}  // namespace

void register_scattering(OpRegistry& registry) {
  registry.add(std::make_unique<ScatterElements>("ScatterElements"));
  registry.add(std::make_unique<ScatterElements>("Scatter"));
  registry.add(std::make_unique<ScatterND>());
  registry.add(std::make_unique<TensorScatter>());
}

}  // namespace npusim::workloads
