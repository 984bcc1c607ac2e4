// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/unary.h"

#include <functional>
#include <map>
#include <mutex>

#include "workloads/ops/short_operands.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

FunctionParameters parameters_of(const NodeView& view, const UnaryFunction& function) {
  FunctionParameters result;
  for (const AttributeSpec& spec : function.attributes) {
    if (std::holds_alternative<double>(spec.fallback)) {
      result.push_back(view.number(spec.name));
      continue;
    }
    const std::string& text = view.text(spec.name);
    if (text != "none" && text != "tanh")
      shape_error("attribute " + spec.name + " \"" + text + "\" is none of none, tanh");
    result.push_back(text == "tanh" ? 1.0 : 0.0);
  }
  return result;
}

using Many = std::function<void(const double*, double*, int)>;
using ManyValues = void (*)(const double*, double*, int, const FunctionParameters&);

/// A function of many operands, by the parameters of its nodes.
class KeptValues {
 public:
  explicit KeptValues(ManyValues function) : function_(function) {}
  /// nullptr where there is no such function.
  Many of(const FunctionParameters& p) const {
    if (function_ == nullptr) return nullptr;
    const std::lock_guard<std::mutex> lock(mutex_);
    const ShortOperandValues& kept = kept_[p];
    return [&kept, p, function = function_](const double* x, double* y, int count) {
      kept.values(x, y, count,
                  [&](const double* of, double* to, int n) { function(of, to, n, p); });
    };
  }

 private:
  ManyValues function_;
  mutable std::mutex mutex_;
  mutable std::map<FunctionParameters, ShortOperandValues> kept_;
};

class Unary final : public SimpleOp {
 public:
  explicit Unary(const UnaryFunction& function)
      : SimpleOp({function.name, function.description, OpClass::vector, 1, 1, function.attributes}),
        function_(function),
        many_(function.values) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    if (!function_.integers) require_floating(view, 0);
    parameters_of(view, function_);
    return {{view.input(0).shape, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    std::vector<VectorWork> work;
    for (const char* name : function_.work) work.push_back({name, elements_of(view.output())});
    return work;
  }
  void forward(Evaluation& e) const override {
    const FunctionParameters p = parameters_of(e.view, function_);
    const std::vector<double>& x = e.inputs[0]->values;
    Tensor& y = e.outputs[0];
    const Step step(e.internal, y.type);
    const Many many = e.internal.approximates() ? nullptr : many_.of(p);
    for_blocks(
        e.parallel, static_cast<std::int64_t>(x.size()), [&](std::int64_t begin, std::int64_t end) {
          if (many) {
            many(x.data() + begin, y.values.data() + begin, static_cast<int>(end - begin));
            step.array(y.values.data() + begin, end - begin);
            return;
          }
          for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
            y.values[i] = step(function_.value(x[i], p, e.internal));
        });
  }
  bool differentiable() const override { return function_.derivative != nullptr; }
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0))
      g.set_input_gradient(0, g.add(std::string(function_.name) + "Gradient", "dx",
                                    {g.output_gradient(0), g.view().node().inputs[0]},
                                    g.view().node().attributes, gradient_role(g, 0)));
  }

 private:
  UnaryFunction function_;
  KeptValues many_;
};

class UnaryGradient final : public SimpleOp {
 public:
  explicit UnaryGradient(const UnaryFunction& function)
      : SimpleOp({std::string(function.name) + "Gradient",
                  std::string("gradient of ") + function.name + " from (dy, x)", OpClass::vector, 2,
                  2, function.attributes, true}),
        function_(function),
        many_(function.slopes) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(1).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    std::vector<VectorWork> work = {{"mul", elements_of(view.output())}};
    for (const char* name : function_.work) work.push_back({name, elements_of(view.output())});
    return work;
  }
  void forward(Evaluation& e) const override {
    const FunctionParameters p = parameters_of(e.view, function_);
    const std::vector<double>& dy = e.inputs[0]->values;
    const std::vector<double>& x = e.inputs[1]->values;
    const Many many = e.internal.approximates() ? nullptr : many_.of(p);
    for_blocks(
        e.parallel, static_cast<std::int64_t>(x.size()), [&](std::int64_t begin, std::int64_t end) {
          double* dx = e.outputs[0].values.data();
          if (many) {
            many(x.data() + begin, dx + begin, static_cast<int>(end - begin));
            e.internal.array(dx + begin, end - begin);
            for (std::int64_t i = begin; i < end; ++i) dx[i] *= dy[static_cast<std::size_t>(i)];
            e.internal.array(dx + begin, end - begin);
            return;
          }
          for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
            dx[i] = e.internal(dy[i] * e.internal(function_.derivative(x[i], p, e.internal)));
        });
  }

 private:
  UnaryFunction function_;
  KeptValues many_;
};

}  // namespace

void register_unary(OpRegistry& registry, const UnaryFunction& function) {
  registry.add(std::make_unique<Unary>(function));
  if (function.derivative != nullptr) registry.add(std::make_unique<UnaryGradient>(function));
}

}  // namespace npusim::workloads
