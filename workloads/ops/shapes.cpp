// SPDX-License-Identifier: Apache-2.0
// Flatten and its reverse (new shapes for the same bytes), and Transpose (moves them).
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

class Flatten final : public SimpleOp {
 public:
  Flatten()
      : SimpleOp({"Flatten",
                  "two dimensions: those before axis and the rest",
                  OpClass::view,
                  1,
                  1,
                  {{"axis", std::int64_t{1}, false, "first dimension of the second part"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    const auto rank = static_cast<std::int64_t>(x.size());
    std::int64_t axis = view.integer("axis");
    if (axis < 0) axis += rank;
    if (axis < 0 || axis > rank)
      shape_error("axis " + std::to_string(view.integer("axis")) + " is outside shape " +
                  to_string(x));
    const auto split = x.begin() + static_cast<std::ptrdiff_t>(axis);
    return {{{element_count(Shape(x.begin(), split)), element_count(Shape(split, x.end()))},
             view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override { e.outputs[0].values = e.inputs[0]->values; }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0))
      g.set_input_gradient(0, g.add("ReshapeTo", "dx", {g.output_gradient(0)},
                                    {{"shape", g.view().input(0).shape}}, gradient_role(g, 0)));
  }
};

class ReshapeTo final : public SimpleOp {
 public:
  ReshapeTo()
      : SimpleOp({"ReshapeTo",
                  "the same elements in a given shape",
                  OpClass::view,
                  1,
                  1,
                  {{"shape", std::vector<std::int64_t>{}, true, "the new shape"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& to = view.integers("shape");
    if (element_count(to) != elements_of(view.input(0)))
      shape_error("shape " + to_string(to) + " holds another number of elements than " +
                  to_string(view.input(0).shape));
    return {{to, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override { e.outputs[0].values = e.inputs[0]->values; }
};

class Transpose final : public SimpleOp {
 public:
  Transpose()
      : SimpleOp({"Transpose",
                  "permuted dimensions",
                  OpClass::vector,
                  1,
                  1,
                  {{"perm", std::vector<std::int64_t>{}, false,
                    "order of the dimensions; default reversed"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    Shape y;
    for (const std::int64_t d : permutation(view)) y.push_back(x[static_cast<std::size_t>(d)]);
    return {{y, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"copy", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    Tensor& y = e.outputs[0];
    const std::vector<std::int64_t> perm = permutation(e.view);
    std::vector<std::int64_t> strides(x.shape.size(), 1);
    for (std::size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * x.shape[i];
    for (std::size_t i = 0; i < y.values.size(); ++i) {
      std::int64_t rest = static_cast<std::int64_t>(i);
      std::int64_t from = 0;
      for (std::size_t d = perm.size(); d-- > 0;) {
        from += rest % y.shape[d] * strides[static_cast<std::size_t>(perm[d])];
        rest /= y.shape[d];
      }
      y.values[i] = x.values[static_cast<std::size_t>(from)];
    }
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (!g.wanted(0)) return;
    const std::vector<std::int64_t> perm = permutation(g.view());
    std::vector<std::int64_t> back(perm.size());
    for (std::size_t i = 0; i < perm.size(); ++i)
      back[static_cast<std::size_t>(perm[i])] = static_cast<std::int64_t>(i);
    g.set_input_gradient(
        0, g.add("Transpose", "dx", {g.output_gradient(0)}, {{"perm", back}}, gradient_role(g, 0)));
  }

 private:
  static std::vector<std::int64_t> permutation(const NodeView& view) {
    const std::size_t rank = view.input(0).shape.size();
    std::vector<std::int64_t> perm = view.integers("perm");
    if (perm.empty())
      for (std::size_t i = rank; i-- > 0;) perm.push_back(static_cast<std::int64_t>(i));
    std::vector<std::int64_t> sorted = perm;
    std::sort(sorted.begin(), sorted.end());
    bool valid = perm.size() == rank;
    for (std::size_t i = 0; valid && i < rank; ++i)
      valid = sorted[i] == static_cast<std::int64_t>(i);
    if (!valid)
      shape_error("perm " + to_string(perm) + " is no permutation of the dimensions of " +
                  to_string(view.input(0).shape));
    return perm;
  }
};

}  // namespace

void register_shapes(OpRegistry& registry) {
  registry.add(std::make_unique<Flatten>());
  registry.add(std::make_unique<ReshapeTo>());
  registry.add(std::make_unique<Transpose>());
}

}  // namespace npusim::workloads
