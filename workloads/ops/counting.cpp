// SPDX-License-Identifier: Apache-2.0
// CumSum, OneHot, and the ops whose shape depends on all their values (which must be known):
// NonZero, Unique.
#include <algorithm>
#include <cmath>

#include "workloads/ops/axes.h"
#include "workloads/ops/families.h"
#include "workloads/ops/rows_along_axis.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;

class CumSum final : public SimpleOp {
 public:
  CumSum()
      : SimpleOp({"CumSum",
                  "running sums along the axis given by input 1",
                  OpClass::vector,
                  2,
                  2,
                  {{"exclusive", std::int64_t{0}, false, "1: without the element itself"},
                   {"reverse", std::int64_t{0}, false, "1: from the end"}},
                  false,
                  1,
                  1,
                  {1}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    rows_along(view.input(0).shape, axis_of(view));
    return {{view.input(0).shape, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"add", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    const RowsAlongAxis rows = rows_along(x.shape, axis_of(e.view));
    const bool reverse = e.view.integer("reverse") != 0;
    const bool exclusive = e.view.integer("exclusive") != 0;
    const Step step(e.internal, e.outputs[0].type);
    e.parallel(rows.rows(), [&](std::int64_t row) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < rows.length; ++i) {
        const std::size_t at = rows.at(row, reverse ? rows.length - 1 - i : i);
        const double with = step(sum + x.values[at]);
        e.outputs[0].values[at] = exclusive ? sum : with;
        sum = with;
      }
    });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (!g.wanted(0)) return;
    const NodeView view = g.view();
    g.set_input_gradient(0, g.add("CumSum", "dx", {g.output_gradient(0), view.node().inputs[1]},
                                  {{"exclusive", view.integer("exclusive")},
                                   {"reverse", std::int64_t{1} - view.integer("reverse")}},
                                  gradient_role(g, 0)));
  }

 private:
  static std::int64_t axis_of(const NodeView& view) {
    const Integers axis = view.constant_integers(1);
    if (axis.size() != 1) shape_error("axis must be one number");
    return axis[0];
  }
};

class OneHot final : public SimpleOp {
 public:
  OneHot()
      : SimpleOp({"OneHot",
                  "values[1] (input 2) at each index along a new axis of extent depth (input 1), "
                  "else values[0]",
                  OpClass::vector,
                  3,
                  3,
                  {{"axis", std::int64_t{-1}, false, "where the new axis goes"}},
                  false,
                  1,
                  1,
                  {1}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    Shape y = view.input(0).shape;
    const Integers depth = view.constant_integers(1);
    if (depth.size() != 1 || depth[0] < 1) shape_error("depth must be one positive number");
    if (view.input(2).shape != Shape{2}) shape_error("values must be two: off and on");
    const std::size_t axis = positive_axis(view.integer("axis"), y.size() + 1);
    y.insert(y.begin() + static_cast<std::ptrdiff_t>(axis), depth[0]);
    OutputSpec spec{y, view.input(2).type, view.input(2).format};
    if (spec.type == ElementType::floating && spec.format.empty()) spec.format = "fp32";
    return {spec};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"compare", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    Tensor& y = e.outputs[0];
    const std::size_t axis = positive_axis(e.view.integer("axis"), y.shape.size());
    const RowsAlongAxis rows = rows_along(y.shape, static_cast<std::int64_t>(axis));
    std::fill(y.values.begin(), y.values.end(), e.inputs[2]->values[0]);
    for (std::int64_t row = 0; row < rows.rows(); ++row) {
      double index = std::trunc(e.inputs[0]->values[static_cast<std::size_t>(row)]);
      if (index < 0.0) index += static_cast<double>(rows.length);
      if (index >= 0.0 && index < static_cast<double>(rows.length))
        y.values[rows.at(row, static_cast<std::int64_t>(index))] = e.inputs[2]->values[1];
    }
  }
};

class NonZero final : public SimpleOp {
 public:
  NonZero()
      : SimpleOp({"NonZero",
                  "indices of the elements that are not 0, one column each",
                  OpClass::vector,
                  1,
                  1,
                  {},
                  false,
                  1,
                  1,
                  {0}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const std::vector<double>& x = view.constant(0).values;
    const auto count = std::count_if(x.begin(), x.end(), [](double v) { return v != 0.0; });
    const auto rank = static_cast<std::int64_t>(view.input(0).shape.size());
    return {{{rank, static_cast<std::int64_t>(count)}, ElementType::int64}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"compare", elements_of(view.input(0))}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = e.view.constant(0);
    Tensor& y = e.outputs[0];
    std::size_t column = 0;
    for_positions(x.shape, [&](std::int64_t i, const Integers& at) {
      if (x.values[static_cast<std::size_t>(i)] == 0.0) return;
      for (std::size_t d = 0; d < at.size(); ++d)
        y.values[d * static_cast<std::size_t>(y.shape[1]) + column] = static_cast<double>(at[d]);
      ++column;
    });
  }
};

class Unique final : public SimpleOp {
 public:
  Unique()
      : SimpleOp({"Unique",
                  "distinct elements (or slices along axis), their first places, where each "
                  "element went, and how often each occurs",
                  OpClass::vector,
                  1,
                  1,
                  {{"axis", std::int64_t{1} << 31, false, "default: x is flattened"},
                   {"sorted", std::int64_t{1}, false, "0: in order of appearance"}},
                  false,
                  1,
                  4,
                  {0}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Found found = search(view);
    const auto distinct = static_cast<std::int64_t>(found.first.size());
    Shape y = view.input(0).shape;
    if (flat(view))
      y = {distinct};
    else
      y[positive_axis(view.integer("axis"), y.size())] = distinct;
    return {{y, view.input(0).type},
            {{distinct}, ElementType::int64},
            {{static_cast<std::int64_t>(found.inverse.size())}, ElementType::int64},
            {{distinct}, ElementType::int64}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"compare", elements_of(view.input(0))}};
  }
  void forward(Evaluation& e) const override {
    const Found found = search(e.view);
    const Tensor& x = e.view.constant(0);
    const RowsAlongAxis from = cut(e.view);
    const RowsAlongAxis to{from.outer, static_cast<std::int64_t>(found.first.size()), from.inner};
    for (std::int64_t row = 0; row < from.rows(); ++row)
      for (std::int64_t i = 0; i < to.length; ++i)
        e.outputs[0].values[to.at(row, i)] =
            x.values[from.at(row, found.first[static_cast<std::size_t>(i)])];
    const Integers* lists[] = {&found.first, &found.inverse, &found.counts};
    for (std::size_t k = 1; k < e.outputs.size(); ++k)
      std::copy(lists[k - 1]->begin(), lists[k - 1]->end(), e.outputs[k].values.begin());
  }

 private:
  struct Found {
    Integers first, inverse, counts;
  };
  static bool flat(const NodeView& view) { return view.integer("axis") == std::int64_t{1} << 31; }
  static RowsAlongAxis cut(const NodeView& view) {
    const Shape& x = view.input(0).shape;
    return flat(view) ? RowsAlongAxis{1, element_count(x), 1} : rows_along(x, view.integer("axis"));
  }
  static Found search(const NodeView& view) {
    const std::vector<double>& x = view.constant(0).values;
    const RowsAlongAxis rows = cut(view);
    const auto slice = [&](std::int64_t i) {
      std::vector<double> values;
      for (std::int64_t row = 0; row < rows.rows(); ++row) values.push_back(x[rows.at(row, i)]);
      return values;
    };
    std::vector<std::pair<std::vector<double>, std::int64_t>> slices;
    for (std::int64_t i = 0; i < rows.length; ++i) slices.emplace_back(slice(i), i);
    const auto less = [](double a, double b) { return a < b || (a == a && b != b); };
    std::stable_sort(slices.begin(), slices.end(), [&](const auto& a, const auto& b) {
      return std::lexicographical_compare(a.first.begin(), a.first.end(), b.first.begin(),
                                          b.first.end(), less);
    });
    std::vector<Integers> groups;  // places of each distinct slice, in the order of values
    for (std::size_t i = 0; i < slices.size(); ++i) {
      if (i == 0 || slices[i].first != slices[i - 1].first) groups.emplace_back();
      groups.back().push_back(slices[i].second);
    }
    if (view.integer("sorted") == 0) std::sort(groups.begin(), groups.end());
    Found found;
    found.inverse.resize(slices.size());
    for (const Integers& group : groups) {
      for (const std::int64_t place : group)
        found.inverse[static_cast<std::size_t>(place)] =
            static_cast<std::int64_t>(found.first.size());
      found.first.push_back(group.front());
      found.counts.push_back(static_cast<std::int64_t>(group.size()));
    }
    return found;
  }
};

}  // namespace

void register_counting(OpRegistry& registry) {
  registry.add(std::make_unique<CumSum>());
  registry.add(std::make_unique<OneHot>());
  registry.add(std::make_unique<NonZero>());
  registry.add(std::make_unique<Unique>());
}

}  // namespace npusim::workloads
