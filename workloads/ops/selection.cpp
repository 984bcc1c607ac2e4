// SPDX-License-Identifier: Apache-2.0
// ArgMax, ArgMin, TopK, Hardmax: which elements are largest. Of equal elements the one with the
// lower index comes first; NaN counts as larger than any number.
#include <numeric>

#include "workloads/ops/axes.h"
#include "workloads/ops/families.h"
#include "workloads/ops/rows_along_axis.h"

namespace npusim::workloads {
namespace {

/// a before b when the largest come first.
bool before(double a, double b) {
  return a > b || (a != a && b == b);
}

class ArgExtremum final : public SimpleOp {
 public:
  ArgExtremum(const char* name, const char* description, bool max)
      : SimpleOp({name,
                  description,
                  OpClass::vector,
                  1,
                  1,
                  {{"axis", std::int64_t{0}, false, "axis to search"},
                   {"keepdims", std::int64_t{1}, false, "1: the axis stays with extent 1"},
                   {"select_last_index", std::int64_t{0}, false, "1: the last of equal ones"}}}),
        max_(max) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    Shape y = view.input(0).shape;
    const std::size_t axis = positive_axis(view.integer("axis"), y.size());
    if (y[axis] == 0) shape_error("axis " + std::to_string(axis) + " has no elements");
    y[axis] = 1;
    if (view.integer("keepdims") == 0) y.erase(y.begin() + static_cast<std::ptrdiff_t>(axis));
    return {{y, ElementType::int64}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"compare", elements_of(view.input(0))}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    const RowsAlongAxis rows = rows_along(x.shape, e.view.integer("axis"));
    const bool last = e.view.integer("select_last_index") != 0;
    for (std::int64_t row = 0; row < rows.rows(); ++row) {
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < rows.length; ++i) {
        const double challenger = x.values[rows.at(row, i)];
        const double holder = x.values[rows.at(row, best)];
        const bool wins = max_ ? before(challenger, holder) : before(holder, challenger);
        if (wins || (last && challenger == holder)) best = i;
      }
      e.outputs[0].values[static_cast<std::size_t>(row)] = static_cast<double>(best);
    }
  }

 private:
  bool max_;
};

class TopK final : public SimpleOp {
 public:
  TopK()
      : SimpleOp({"TopK",
                  "the k (input 1 or attribute) largest or smallest elements along an axis, and "
                  "their indices; always sorted",
                  OpClass::vector,
                  1,
                  2,
                  {{"axis", std::int64_t{-1}, false, "axis to search"},
                   {"k", std::int64_t{0}, false, "where no input gives it"},
                   {"largest", std::int64_t{1}, false, "0: the smallest"},
                   {"sorted", std::int64_t{1}, false, "0: any order will do"}},
                  false,
                  2,
                  2,
                  {1}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    Shape y = view.input(0).shape;
    const std::size_t axis = positive_axis(view.integer("axis"), y.size());
    if (view.has_input(1) && elements_of(view.input(1)) != 1) shape_error("k must be one number");
    const std::int64_t k = view.has_input(1) ? view.constant_integers(1)[0] : view.integer("k");
    if (k < 0 || k > y[axis])
      shape_error("k " + std::to_string(k) + " is not within the extent of " + to_string(y) +
                  " along axis " + std::to_string(axis));
    y[axis] = k;
    return {{y, view.input(0).type}, {y, ElementType::int64}};
  }
  /// A partial sort: one comparison an element and level of a tournament over k.
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const RowsAlongAxis rows = rows_along(view.output().shape, view.integer("axis"));
    std::int64_t levels = 1;
    while ((std::int64_t{1} << levels) < rows.length) ++levels;
    return {{"compare", elements_of(view.input(0)) * levels}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    const RowsAlongAxis rows = rows_along(x.shape, e.view.integer("axis"));
    const RowsAlongAxis out = rows_along(e.outputs[0].shape, e.view.integer("axis"));
    const bool largest = e.view.integer("largest") != 0;
    e.parallel(rows.rows(), [&](std::int64_t row) {
      std::vector<std::int64_t> order(static_cast<std::size_t>(rows.length));
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        const double p = x.values[rows.at(row, a)];
        const double q = x.values[rows.at(row, b)];
        return largest ? before(p, q) : before(q, p);
      });
      for (std::int64_t i = 0; i < out.length; ++i) {
        const std::int64_t from = order[static_cast<std::size_t>(i)];
        e.outputs[0].values[out.at(row, i)] = x.values[rows.at(row, from)];
        e.outputs[1].values[out.at(row, i)] = static_cast<double>(from);
      }
    });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    const TensorId dy = g.output_gradient(0);
    if (!g.wanted(0) || dy == kNoTensor) return;
    const TensorId zeros = g.add("Filled", "zeros", {}, {{"shape", g.view().input(0).shape}},
                                 TensorRole::activation_gradient);
    g.set_input_gradient(0, g.add("ScatterElements", "dx", {zeros, g.view().node().outputs[1], dy},
                                  {{"axis", g.view().integer("axis")}}, gradient_role(g, 0)));
  }
};

class Hardmax final : public SimpleOp {
 public:
  Hardmax()
      : SimpleOp({"Hardmax",
                  "1 at the first maximum along an axis, else 0",
                  OpClass::vector,
                  1,
                  1,
                  {{"axis", std::int64_t{-1}, false, "axis to search"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    positive_axis(view.integer("axis"), view.input(0).shape.size());
    return {{view.input(0).shape, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"compare", elements_of(view.input(0))}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    const RowsAlongAxis rows = rows_along(x.shape, e.view.integer("axis"));
    std::fill(e.outputs[0].values.begin(), e.outputs[0].values.end(), 0.0);
    for (std::int64_t row = 0; row < rows.rows() && rows.length > 0; ++row) {
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < rows.length; ++i)
        if (before(x.values[rows.at(row, i)], x.values[rows.at(row, best)])) best = i;
      e.outputs[0].values[rows.at(row, best)] = 1.0;
    }
  }
};

}  // namespace

void register_selection(OpRegistry& registry) {
  registry.add(std::make_unique<ArgExtremum>("ArgMax", "index of the largest along an axis", true));
  registry.add(
      std::make_unique<ArgExtremum>("ArgMin", "index of the smallest along an axis", false));
  registry.add(std::make_unique<TopK>());
  registry.add(std::make_unique<Hardmax>());
}

}  // namespace npusim::workloads
