// SPDX-License-Identifier: Apache-2.0
// New shapes for the same bytes: Reshape, Flatten, Squeeze, Unsqueeze, and ReshapeTo, which their
// gradients use.
#include "workloads/ops/axes.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;

class SameBytes : public SimpleOp {
 public:
  using SimpleOp::SimpleOp;
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape y = result_shape(view);
    if (element_count(y) != elements_of(view.input(0)))
      shape_error("shape " + to_string(y) + " holds another number of elements than " +
                  to_string(view.input(0).shape));
    return {{y, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override { e.outputs[0].values = e.inputs[0]->values; }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0))
      g.set_input_gradient(0, g.add("ReshapeTo", "dx", {g.output_gradient(0)},
                                    {{"shape", g.view().input(0).shape}}, gradient_role(g, 0)));
  }

 protected:
  virtual Shape result_shape(const NodeView& view) const = 0;
};

class Flatten final : public SameBytes {
 public:
  Flatten()
      : SameBytes({"Flatten",
                   "two dimensions: those before axis and the rest",
                   OpClass::view,
                   1,
                   1,
                   {{"axis", std::int64_t{1}, false, "first dimension of the second part"}}}) {}

 protected:
  Shape result_shape(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    const auto rank = static_cast<std::int64_t>(x.size());
    std::int64_t axis = view.integer("axis");
    if (axis < 0) axis += rank;
    if (axis < 0 || axis > rank)
      shape_error("axis " + std::to_string(view.integer("axis")) + " is outside shape " +
                  to_string(x));
    const auto split = x.begin() + static_cast<std::ptrdiff_t>(axis);
    return {element_count(Shape(x.begin(), split)), element_count(Shape(split, x.end()))};
  }
};

class ReshapeTo final : public SameBytes {
 public:
  ReshapeTo()
      : SameBytes({"ReshapeTo",
                   "the same elements in a given shape",
                   OpClass::view,
                   1,
                   1,
                   {{"shape", Integers{}, true, "the new shape"}},
                   true}) {}

 protected:
  Shape result_shape(const NodeView& view) const override { return view.integers("shape"); }
};

class Reshape final : public SameBytes {
 public:
  Reshape()
      : SameBytes({"Reshape",
                   "the same elements in the shape given by input 1 (or attribute shape); 0 keeps "
                   "an extent, one -1 takes what is left",
                   OpClass::view,
                   1,
                   2,
                   {{"allowzero", std::int64_t{0}, false, "1: an extent of 0 is 0"},
                    {"shape", Integers{}, false, "where no input gives the shape"}},
                   false,
                   1,
                   1,
                   {1}}) {}

 protected:
  Shape result_shape(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    Shape y = view.has_input(1) ? view.constant_integers(1) : view.integers("shape");
    std::int64_t rest = -1;
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (y[i] == 0 && view.integer("allowzero") == 0) {
        if (i >= x.size()) shape_error("extent 0 at " + std::to_string(i) + " keeps nothing");
        y[i] = x[i];
      } else if (y[i] == -1 && rest < 0) {
        rest = static_cast<std::int64_t>(i);
        y[i] = 1;
      }
    }
    const std::int64_t have = element_count(x);
    const std::int64_t given = element_count(y);
    if (rest < 0) return y;
    if (given == 0 || have % given != 0)
      shape_error("no extent makes " + to_string(x) + " of " + to_string(y));
    y[static_cast<std::size_t>(rest)] = have / given;
    return y;
  }
};

class Squeeze final : public SameBytes {
 public:
  Squeeze()
      : SameBytes({"Squeeze",
                   "without dimensions of extent 1",
                   OpClass::view,
                   1,
                   2,
                   {{"axes", Integers{}, false, "which; default all (input 1 in newer opsets)"}},
                   false,
                   1,
                   1,
                   {1}}) {}

 protected:
  Shape result_shape(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    const Integers axes = positive_axes(axes_of(view, 1), x.size());
    Shape y;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const bool named = std::count(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) > 0;
      if (named && x[i] != 1)
        shape_error("axis " + std::to_string(i) + " of " + to_string(x) + " is not 1");
      if (axes.empty() ? x[i] != 1 : !named) y.push_back(x[i]);
    }
    return y;
  }
};

class Unsqueeze final : public SameBytes {
 public:
  Unsqueeze()
      : SameBytes({"Unsqueeze",
                   "new dimensions of extent 1 at the given places of the result",
                   OpClass::view,
                   1,
                   2,
                   {{"axes", Integers{}, false, "where (input 1 in newer opsets)"}},
                   false,
                   1,
                   1,
                   {1}}) {}

 protected:
  Shape result_shape(const NodeView& view) const override {
    Shape y = view.input(0).shape;
    const Integers given = axes_of(view, 1);
    for (const std::int64_t axis : positive_axes(given, y.size() + given.size()))
      y.insert(y.begin() + static_cast<std::ptrdiff_t>(axis), 1);
    return y;
  }
};

}  // namespace

void register_reshapes(OpRegistry& registry) {
  registry.add(std::make_unique<Flatten>());
  registry.add(std::make_unique<Reshape>());
  registry.add(std::make_unique<ReshapeTo>());
  registry.add(std::make_unique<Squeeze>());
  registry.add(std::make_unique<Unsqueeze>());
}

}  // namespace npusim::workloads
