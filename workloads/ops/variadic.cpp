// SPDX-License-Identifier: Apache-2.0
// Sum, Mean, Max, Min of any number of broadcast inputs, from left to right. NaN wins a maximum.
#include <limits>

#include "workloads/ops/broadcast_gradient.h"
#include "workloads/ops/elementwise.h"
#include "workloads/ops/families.h"

namespace npusim::workloads {
namespace {

constexpr int kAny = std::numeric_limits<int>::max();

class Variadic : public SimpleOp {
 public:
  using SimpleOp::SimpleOp;
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    for (int i = 1; i < view.input_count(); ++i) require_same_type(view, 0, i);
    return {{broadcast_inputs(view), view.input(0).type}};
  }
  bool differentiable() const override { return true; }

 protected:
  template <class Function>
  static void fold(Evaluation& e, const Function& f) {
    Tensor& y = e.outputs[0];
    const Tensor none(Shape{});
    for_pairs(e.parallel, *e.inputs[0], none, y, [](double a, double) { return a; });
    for (std::size_t i = 1; i < e.inputs.size(); ++i) for_pairs(e.parallel, y, *e.inputs[i], y, f);
  }
};

class SumOrMean final : public Variadic {
 public:
  SumOrMean(const char* name, const char* description, bool mean)
      : Variadic({name, description, OpClass::vector, 1, kAny}), mean_(mean) {}
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    std::vector<VectorWork> work = {{"add", n * (view.input_count() - 1)}};
    if (mean_) work.push_back({"div", n});
    return work;
  }
  void forward(Evaluation& e) const override {
    fold(e, [&](double a, double b) { return e.internal(a + b); });
    const auto count = static_cast<double>(e.inputs.size());
    if (mean_)
      for (double& value : e.outputs[0].values) value = e.internal(value / count);
  }
  void gradient(GradientBuilder& g) const override {
    TensorId dy = g.output_gradient(0);
    const int count = g.view().input_count();
    if (mean_)
      dy = g.add("Scale", "dy_by_count", {dy}, {{"factor", 1.0 / count}},
                 TensorRole::activation_gradient);
    for (int i = 0; i < count; ++i)
      if (g.wanted(i)) set_broadcast_gradient(g, i, dy);
  }

 private:
  bool mean_;
};

bool beats(double challenger, double best, bool max) {
  if (best != best) return false;
  return challenger != challenger || (max ? challenger > best : challenger < best);
}

class Extremum final : public Variadic {
 public:
  Extremum(const char* name, const char* description, bool max)
      : Variadic({name, description, OpClass::vector, 1, kAny}), max_(max) {}
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"max", elements_of(view.output()) * (view.input_count() - 1)}};
  }
  void forward(Evaluation& e) const override {
    fold(e, [&](double a, double b) { return beats(b, a, max_) ? b : a; });
  }
  void gradient(GradientBuilder& g) const override {
    std::vector<TensorId> inputs = g.view().node().inputs;
    inputs.insert(inputs.begin(), g.output_gradient(0));
    for (int i = 0; i < g.view().input_count(); ++i)
      if (g.wanted(i))
        set_broadcast_gradient(
            g, i,
            g.add("ExtremumGradient", "d" + std::to_string(i), inputs,
                  {{"input", std::int64_t{i}}, {"max", std::int64_t{max_ ? 1 : 0}}},
                  broadcast_role(g, i)));
  }

 private:
  bool max_;
};

/// dy where this input is the first that attains the extremum.
class ExtremumGradient final : public SimpleOp {
 public:
  ExtremumGradient()
      : SimpleOp({"ExtremumGradient",
                  "gradient of Max or Min by one input, from (dy, inputs)",
                  OpClass::vector,
                  2,
                  kAny,
                  {{"input", std::int64_t{0}, true, "which"},
                   {"max", std::int64_t{1}, true, "1: Max, 0: Min"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(0).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"compare", elements_of(view.output()) * (view.input_count() - 1)}};
  }
  void forward(Evaluation& e) const override {
    Tensor& y = e.outputs[0];
    const bool max = e.view.integer("max") != 0;
    const std::int64_t wanted = e.view.integer("input");
    std::vector<BroadcastIndex> from;
    for (std::size_t i = 1; i < e.inputs.size(); ++i)
      from.emplace_back(e.inputs[i]->shape, y.shape);
    for (std::int64_t at = 0; at < static_cast<std::int64_t>(y.values.size()); ++at) {
      std::size_t winner = 0;
      double best = 0.0;
      for (std::size_t i = 0; i < from.size(); ++i) {
        const double x = e.inputs[i + 1]->values[static_cast<std::size_t>(from[i](at))];
        if (i > 0 && !beats(x, best, max)) continue;
        winner = i;
        best = x;
      }
      const auto index = static_cast<std::size_t>(at);
      y.values[index] =
          static_cast<std::int64_t>(winner) == wanted ? e.inputs[0]->values[index] : 0.0;
    }
  }
};

}  // namespace

void register_variadic(OpRegistry& registry) {
  registry.add(std::make_unique<SumOrMean>("Sum", "sum of all inputs, broadcast", false));
  registry.add(std::make_unique<SumOrMean>("Mean", "mean of all inputs, broadcast", true));
  registry.add(std::make_unique<Extremum>("Max", "largest of all inputs, broadcast", true));
  registry.add(std::make_unique<Extremum>("Min", "smallest of all inputs, broadcast", false));
  registry.add(std::make_unique<ExtremumGradient>());
}

}  // namespace npusim::workloads
