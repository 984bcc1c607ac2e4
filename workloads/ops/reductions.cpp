// SPDX-License-Identifier: Apache-2.0
// ReduceSum, ReduceMean, ... over fixed axes. Terms are taken in index order, one rounding each
// (squares, magnitudes and exponentials are rounded before they are added).
#include <cmath>
#include <limits>

#include "workloads/ops/axes.h"
#include "workloads/ops/broadcast.h"
#include "workloads/ops/families.h"
#include "workloads/ops/ordered_reduction.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;
enum class Kind { sum, mean, max, min, prod, sum_square, l1, l2, log_sum, log_sum_exp };

struct Facts {
  Kind kind;
  const char* name;
  const char* description;
  std::vector<const char*> per_element, per_result;
};

const std::vector<Facts>& facts() {
  static const std::vector<Facts> kTable = {
      {Kind::sum, "ReduceSum", "sum over axes", {"add"}, {}},
      {Kind::mean, "ReduceMean", "mean over axes", {"add"}, {"div"}},
      {Kind::max, "ReduceMax", "largest over axes", {"max"}, {}},
      {Kind::min, "ReduceMin", "smallest over axes", {"max"}, {}},
      {Kind::prod, "ReduceProd", "product over axes", {"mul"}, {}},
      {Kind::sum_square, "ReduceSumSquare", "sum of squares over axes", {"mul", "add"}, {}},
      {Kind::l1, "ReduceL1", "sum of magnitudes over axes", {"max", "add"}, {}},
      {Kind::l2, "ReduceL2", "root of the sum of squares over axes", {"mul", "add"}, {"sqrt"}},
      {Kind::log_sum, "ReduceLogSum", "logarithm of the sum over axes", {"add"}, {"log"}},
      {Kind::log_sum_exp,
       "ReduceLogSumExp",
       "logarithm of the sum of exponentials over axes",
       {"max", "add", "exp", "add"},
       {"log", "add"}},
  };
  return kTable;
}

/// The shape with the reduced axes set to 1.
Shape kept_shape(const NodeView& view) {
  Shape kept = view.input(0).shape;
  const Integers axes = positive_axes(axes_of(view, 1), kept.size());
  if (axes.empty() && view.integer("noop_with_empty_axes") == 0)
    std::fill(kept.begin(), kept.end(), 1);
  for (const std::int64_t axis : axes) kept[static_cast<std::size_t>(axis)] = 1;
  return kept;
}

/// The result's shape: reduced axes are dropped unless keepdims.
Shape result_shape(const NodeView& view) {
  const Shape kept = kept_shape(view);
  if (view.integer("keepdims") != 0) return kept;
  const Integers axes = positive_axes(axes_of(view, 1), kept.size());
  if (axes.empty() && view.integer("noop_with_empty_axes") == 0) return {};
  Shape y;
  for (std::size_t i = 0; i < kept.size(); ++i)
    if (std::count(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) == 0)
      y.push_back(kept[i]);
  return y;
}

/// body(x's index, offset of its result) for every element of x in order.
template <class Body>
void for_terms(const Shape& x, const Shape& kept, const Body& body) {
  const BroadcastIndex target(kept, x);
  const std::int64_t count = element_count(x);
  for (std::int64_t i = 0; i < count; ++i)
    body(static_cast<std::size_t>(i), static_cast<std::size_t>(target(i)));
}

double larger(double best, double x) {
  return x > best || x != x ? x : best;
}
double smaller(double best, double x) {
  return x < best || x != x ? x : best;
}

class Reduce final : public SimpleOp {
 public:
  explicit Reduce(const Facts& f)
      : SimpleOp({f.name,
                  f.description,
                  OpClass::vector,
                  1,
                  2,
                  {{"axes", Integers{}, false,
                    "axes to reduce, where no input gives them; "
                    "default all"},
                   {"keepdims", std::int64_t{1}, false, "1: reduced axes stay with extent 1"},
                   {"noop_with_empty_axes", std::int64_t{0}, false, "1: no axes reduce nothing"}},
                  false,
                  1,
                  1,
                  {1}}),
        facts_(f) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const bool logarithm = facts_.kind == Kind::log_sum || facts_.kind == Kind::log_sum_exp;
    if (logarithm || facts_.kind == Kind::l2) require_floating(view, 0);
    return {{result_shape(view), view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    std::vector<VectorWork> work;
    for (const char* function : facts_.per_element)
      work.push_back({function, elements_of(view.input(0))});
    for (const char* function : facts_.per_result)
      work.push_back({function, elements_of(view.output())});
    return work;
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    Tensor& y = e.outputs[0];
    const Shape kept = kept_shape(e.view);
    const Step step(e.internal, y.type);
    std::vector<double> max;
    if (facts_.kind == Kind::log_sum_exp) max = extremes(x, kept, y.values.size());
    std::fill(y.values.begin(), y.values.end(), start(y.type));
    const OrderedReduction terms(x.shape, kept);
    const auto run = [&](const auto& one) {
      terms.run(x.values.data(), y.values.data(), e.parallel, one);
    };
    if (facts_.kind == Kind::sum || facts_.kind == Kind::mean)
      run([&](double sum, double term, std::size_t) { return step(sum + term); });
    else
      run([&](double sum, double term, std::size_t to) {
        return next(sum, term, max.empty() ? 0.0 : max[to], step, e.internal);
      });
    const double count =
        static_cast<double>(x.values.size()) / static_cast<double>(y.values.size());
    for (std::size_t i = 0; i < y.values.size(); ++i)
      y.values[i] = last(y.values[i], count, max.empty() ? 0.0 : max[i], step, e.internal);
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (!g.wanted(0)) return;
    const NodeView view = g.view();
    const TensorId dy = g.output_gradient(0);
    if (facts_.kind == Kind::sum || facts_.kind == Kind::mean) {
      const double count = static_cast<double>(elements_of(view.input(0))) /
                           static_cast<double>(elements_of(view.output()));
      return g.set_input_gradient(0, g.add("ExpandToShape", "dx", {dy},
                                           {{"divisor", facts_.kind == Kind::mean ? count : 1.0},
                                            {"kept", kept_shape(view)},
                                            {"shape", view.input(0).shape}},
                                           gradient_role(g, 0)));
    }
    g.set_input_gradient(
        0,
        g.add("ReduceGradient", "dx", {dy, view.node().inputs[0], view.node().outputs[0]},
              {{"kept", kept_shape(view)}, {"of", std::string(facts_.name)}}, gradient_role(g, 0)));
  }

 private:
  double start(ElementType type) const {
    const double infinity = std::numeric_limits<double>::infinity();
    const bool floating = type == ElementType::floating;
    if (facts_.kind == Kind::max) return floating ? -infinity : lowest_of(type);
    if (facts_.kind == Kind::min) return floating ? infinity : highest_of(type);
    return facts_.kind == Kind::prod ? 1.0 : 0.0;
  }
  double next(double sum, double x, double max, const Step& step,
              const VectorArithmetic& internal) const {
    switch (facts_.kind) {
      case Kind::max:
        return larger(sum, x);
      case Kind::min:
        return smaller(sum, x);
      case Kind::prod:
        return step(sum * x);
      case Kind::sum_square:
      case Kind::l2:
        return step(sum + step(x * x));
      case Kind::l1:
        return step(sum + std::fabs(x));
      case Kind::log_sum_exp:
        return step(sum + step(internal.exp(step(x - max))));
      default:
        return step(sum + x);
    }
  }
  double last(double sum, double count, double max, const Step& step,
              const VectorArithmetic& internal) const {
    if (facts_.kind == Kind::mean) return step(sum / count);
    if (facts_.kind == Kind::l2) return step(internal.sqrt(sum));
    if (facts_.kind == Kind::log_sum) return step(internal.log(sum));
    if (facts_.kind == Kind::log_sum_exp) return step(step(internal.log(sum)) + max);
    return sum;
  }
  static std::vector<double> extremes(const Tensor& x, const Shape& kept, std::size_t count) {
    std::vector<double> max(count, -std::numeric_limits<double>::infinity());
    for_terms(x.shape, kept,
              [&](std::size_t from, std::size_t to) { max[to] = larger(max[to], x.values[from]); });
    for (double& value : max)
      if (std::isinf(value)) value = 0.0;  // x - max must not be inf - inf
    return max;
  }

  Facts facts_;
};

/// dy times the derivative by each element, from (dy, x, y).
class ReduceGradient final : public SimpleOp {
 public:
  ReduceGradient()
      : SimpleOp({"ReduceGradient",
                  "gradient of a reduction from (dy, x, y)",
                  OpClass::vector,
                  3,
                  3,
                  {{"kept", Integers{}, true, "shape of y with reduced axes as 1"},
                   {"of", std::string(), true, "which reduction"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    kind_of(view);
    return {{view.input(1).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    switch (kind_of(view)) {
      case Kind::max:
      case Kind::min:
      case Kind::l1:
        return {{"compare", n}};
      case Kind::prod:
      case Kind::l2:
        return {{"div", n}, {"mul", n}};
      case Kind::sum_square:
        return {{"mul", 2 * n}};
      default:
        return {{"exp", n}, {"add", n}, {"mul", n}};
    }
  }
  void forward(Evaluation& e) const override {
    const Kind kind = kind_of(e.view);
    const Tensor& x = *e.inputs[1];
    const Shape& kept = e.view.integers("kept");
    const std::vector<double>& y = e.inputs[2]->values;
    const std::vector<double>& dy = e.inputs[0]->values;
    std::vector<double>& dx = e.outputs[0].values;
    if (kind == Kind::prod) return of_product(e, kept);
    std::vector<char> taken(y.size(), 0);
    for_terms(x.shape, kept, [&](std::size_t i, std::size_t o) {
      if (kind == Kind::max || kind == Kind::min) {
        const bool first = x.values[i] == y[o] && taken[o] == 0;
        dx[i] = first ? dy[o] : 0.0;
        if (first) taken[o] = 1;
      } else {
        dx[i] = e.internal(dy[o] * slope(kind, x.values[i], y[o], e.internal));
      }
    });
  }

 private:
  static Kind kind_of(const NodeView& view) {
    for (const Facts& f : facts())
      if (view.text("of") == f.name) return f.kind;
    shape_error("attribute of \"" + view.text("of") + "\" is no reduction");
  }
  static double slope(Kind kind, double x, double y, const VectorArithmetic& internal) {
    if (kind == Kind::sum_square) return internal(2.0 * x);
    if (kind == Kind::l1) return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : 0.0;
    if (kind == Kind::l2) return y == 0.0 ? 0.0 : internal(internal.divide(x, y));
    if (kind == Kind::log_sum) return internal(internal.exp(-y));
    return internal(internal.exp(internal(x - y)));
  }
  /// The product of the others, without dividing by a zero.
  static void of_product(Evaluation& e, const Shape& kept) {
    const Tensor& x = *e.inputs[1];
    const std::size_t results = e.inputs[2]->values.size();
    std::vector<double> product(results, 1.0);
    std::vector<int> zeros(results, 0);
    for_terms(x.shape, kept, [&](std::size_t i, std::size_t o) {
      if (x.values[i] == 0.0)
        ++zeros[o];
      else
        product[o] = e.internal(product[o] * x.values[i]);
    });
    for_terms(x.shape, kept, [&](std::size_t i, std::size_t o) {
      double others = 0.0;
      if (zeros[o] == 0) others = e.internal(e.internal.divide(product[o], x.values[i]));
      if (zeros[o] == 1 && x.values[i] == 0.0) others = product[o];
      e.outputs[0].values[i] = e.internal(e.inputs[0]->values[o] * others);
    });
  }
};

}  // namespace

void register_reductions(OpRegistry& registry) {
  for (const Facts& f : facts()) registry.add(std::make_unique<Reduce>(f));
  registry.add(std::make_unique<ReduceGradient>());
}

}  // namespace npusim::workloads
