// SPDX-License-Identifier: Apache-2.0
// Concat and Split.
#include <limits>

#include "workloads/ops/axes.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;
constexpr int kAny = std::numeric_limits<int>::max();

class Concat final : public SimpleOp {
 public:
  Concat()
      : SimpleOp({"Concat",
                  "the inputs one after the other along an axis",
                  OpClass::vector,
                  1,
                  kAny,
                  {{"axis", std::int64_t{0}, true, "axis that grows"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    Shape y = view.input(0).shape;
    const std::size_t axis = positive_axis(view.integer("axis"), y.size());
    for (int i = 1; i < view.input_count(); ++i) {
      Shape x = view.input(i).shape;
      const bool fits = x.size() == y.size() && view.input(i).type == view.input(0).type;
      const std::int64_t extent = fits ? x[axis] : 0;
      if (fits) x[axis] = y[axis];
      if (!fits || x != y)
        shape_error("input " + std::to_string(i) + " " + to_string(view.input(i).shape) +
                    " does not join " + to_string(view.input(0).shape) + " along axis " +
                    std::to_string(axis));
      if (__builtin_add_overflow(y[axis], extent, &y[axis])) shape_error("the result is too large");
    }
    return {{y, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"copy", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    Tensor& y = e.outputs[0];
    const std::size_t axis = positive_axis(e.view.integer("axis"), y.shape.size());
    const std::int64_t outer = extent_product(y.shape, 0, axis);
    auto to = y.values.begin();
    for (std::int64_t o = 0; o < outer; ++o)
      for (const Tensor* x : e.inputs) {
        const std::int64_t row = extent_product(x->shape, axis, x->shape.size());
        to = std::copy_n(x->values.begin() + o * row, row, to);
      }
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    const NodeView view = g.view();
    const std::int64_t axis = view.integer("axis");
    const std::size_t at = positive_axis(axis, view.output().shape.size());
    std::int64_t start = 0;
    for (int i = 0; i < view.input_count(); ++i) {
      const std::int64_t end = start + g.view().input(i).shape[at];
      if (g.wanted(i))
        g.set_input_gradient(
            i,
            g.add("Slice", "d" + std::to_string(i), {g.output_gradient(0)},
                  {{"axes", Integers{axis}}, {"starts", Integers{start}}, {"ends", Integers{end}}},
                  gradient_role(g, i)));
      start = end;
    }
  }
};

class Split final : public SimpleOp {
 public:
  Split()
      : SimpleOp({"Split",
                  "parts of x along an axis: sizes by input 1 or attribute split, else equal ones "
                  "(the last may be smaller)",
                  OpClass::vector,
                  1,
                  2,
                  {{"axis", std::int64_t{0}, false, "axis to cut"},
                   {"num_outputs", std::int64_t{0}, false, "0: as many as the node writes"},
                   {"split", Integers{}, false, "sizes, where no input gives them"}},
                  false,
                  1,
                  kAny,
                  {1}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    std::vector<OutputSpec> result;
    const Shape& x = view.input(0).shape;
    const std::size_t axis = positive_axis(view.integer("axis"), x.size());
    for (const std::int64_t size : sizes(view, x[axis])) {
      Shape part = x;
      part[axis] = size;
      result.push_back({part, view.input(0).type});
    }
    return result;
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"copy", elements_of(view.input(0))}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    const std::size_t axis = positive_axis(e.view.integer("axis"), x.shape.size());
    const std::int64_t outer = extent_product(x.shape, 0, axis);
    auto from = x.values.begin();
    for (std::int64_t o = 0; o < outer; ++o)
      for (Tensor& y : e.outputs) {
        const std::int64_t row = extent_product(y.shape, axis, y.shape.size());
        std::copy_n(from, row, y.values.begin() + o * row);
        from += row;
      }
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (!g.wanted(0)) return;
    std::vector<TensorId> parts;
    for (int i = 0; i < g.view().output_count(); ++i) {
      parts.push_back(g.output_gradient(i));
      if (parts.back() == kNoTensor)
        parts.back() =
            g.add("Filled", "zeros" + std::to_string(i), {}, {{"shape", g.view().output(i).shape}},
                  TensorRole::activation_gradient);
    }
    g.set_input_gradient(
        0, g.add("Concat", "dx", parts, {{"axis", g.view().integer("axis")}}, gradient_role(g, 0)));
  }

 private:
  static Integers sizes(const NodeView& view, std::int64_t extent) {
    Integers given = view.has_input(1) ? view.constant_integers(1) : view.integers("split");
    const std::int64_t count = view.output_count();
    if (given.empty()) {
      const std::int64_t wanted = view.integer("num_outputs");
      if (wanted != 0 && wanted != count)
        shape_error("num_outputs is " + std::to_string(wanted) + ", the node writes " +
                    std::to_string(count));
      const std::int64_t size = (extent + count - 1) / count;
      for (std::int64_t i = 0; i < count; ++i)
        given.push_back(std::min(size, std::max<std::int64_t>(0, extent - i * size)));
    }
    std::int64_t sum = 0;
    bool fits = static_cast<std::int64_t>(given.size()) == count;
    for (const std::int64_t size : given)
      fits = fits && size >= 0 && !__builtin_add_overflow(sum, size, &sum);
    if (!fits || sum != extent)
      shape_error("sizes " + to_string(given) + " do not cut an extent of " +
                  std::to_string(extent) + " in " + std::to_string(count));
    return given;
  }
};

}  // namespace

void register_joining(OpRegistry& registry) {
  registry.add(std::make_unique<Concat>());
  registry.add(std::make_unique<Split>());
}

}  // namespace npusim::workloads
