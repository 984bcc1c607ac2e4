// SPDX-License-Identifier: Apache-2.0
// ai.onnx.preview.training's Momentum, Adam and Adagrad: learning rate R, update count T, then all
// weights, all gradients and all states; new weights and states come out. Every step rounds to the
// internal format.
#include <cmath>
#include <limits>

#include "workloads/detmath.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

constexpr int kAny = std::numeric_limits<int>::max();

AttributeSpec number(const char* name, double fallback, const char* description) {
  return {name, fallback, false, description};
}
AttributeSpec required_number(const char* name, const char* description) {
  return {name, 0.0, true, description};
}

/// One element: its weight, gradient and states before and after.
struct Element {
  double weight, gradient;
  double state[2];
};

class Optimizer : public SimpleOp {
 public:
  Optimizer(const char* name, const char* description, int states,
            std::vector<AttributeSpec> attributes)
      : SimpleOp({name, description, OpClass::vector, 2 + 2 + states, kAny, std::move(attributes),
                  false, 1 + states, kAny}),
        states_(states) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const int lists = 2 + states_;
    if ((view.input_count() - 2) % lists != 0)
      shape_error("takes R, T and " + std::to_string(lists) + " tensors for each weight");
    for (int i = 0; i < 2; ++i)
      if (elements_of(view.input(i)) != 1) shape_error("R and T must be scalars");
    const int weights = (view.input_count() - 2) / lists;
    std::vector<OutputSpec> result;
    for (int list = 0; list < lists; ++list)
      for (int k = 0; k < weights; ++k) {
        const TensorInfo& info = view.input(2 + list * weights + k);
        if (info.shape != view.input(2 + k).shape)
          shape_error(info.name + " must have shape " + to_string(view.input(2 + k).shape));
        if (list != 1) result.push_back({info.shape, ElementType::floating, info.format});
      }
    return result;
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const int weights = (view.input_count() - 2) / (2 + states_);
    std::int64_t n = 0;
    for (int k = 0; k < weights; ++k) n += elements_of(view.input(2 + k));
    if (states_ == 2) return {{"mul", 7 * n}, {"add", 4 * n}, {"sqrt", n}, {"div", n}};
    return {{"mul", 4 * n}, {"add", 3 * n}};
  }
  void forward(Evaluation& e) const override {
    const std::size_t weights = (e.inputs.size() - 2) / static_cast<std::size_t>(2 + states_);
    const double rate = adjusted_rate(e, e.inputs[0]->values.at(0), e.inputs[1]->values.at(0));
    for (std::size_t k = 0; k < weights; ++k)
      for (std::size_t i = 0; i < e.inputs[2 + k]->values.size(); ++i) {
        Element element{e.inputs[2 + k]->values[i], e.inputs[2 + weights + k]->values[i], {}};
        for (std::size_t s = 0; s < static_cast<std::size_t>(states_); ++s)
          element.state[s] = e.inputs[2 + (2 + s) * weights + k]->values[i];
        update(e, rate, element);
        e.outputs[k].values[i] = element.weight;
        for (std::size_t s = 0; s < static_cast<std::size_t>(states_); ++s)
          e.outputs[(1 + s) * weights + k].values[i] = element.state[s];
      }
  }

 protected:
  virtual double adjusted_rate(const Evaluation& e, double rate, double count) const = 0;
  virtual void update(const Evaluation& e, double rate, Element& element) const = 0;
  /// The gradient with the L2 penalty.
  static double regularised(const Evaluation& e, const Element& x) {
    const double penalty = e.view.number("norm_coefficient");
    return penalty == 0.0 ? x.gradient : e.internal(e.internal(penalty * x.weight) + x.gradient);
  }

 private:
  int states_;
};

class Momentum final : public Optimizer {
 public:
  Momentum()
      : Optimizer("Momentum", "v = alpha * v + beta * g; x - R * v, or Nesterov's form", 1,
                  {required_number("alpha", "decay of the momentum"),
                   required_number("beta", "factor of the gradient after the first update"),
                   {"mode", std::string("standard"), true, "standard or nesterov"},
                   required_number("norm_coefficient", "L2 penalty")}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    if (view.text("mode") != "standard" && view.text("mode") != "nesterov")
      shape_error("attribute mode \"" + view.text("mode") + "\" is none of standard, nesterov");
    return Optimizer::infer(view);
  }

 protected:
  double adjusted_rate(const Evaluation&, double rate, double) const override { return rate; }
  void update(const Evaluation& e, double rate, Element& x) const override {
    const double alpha = e.internal(e.view.number("alpha"));
    const double beta = e.inputs[1]->values[0] > 0.0 ? e.internal(e.view.number("beta")) : 1.0;
    const double g = regularised(e, x);
    x.state[0] = e.internal(e.internal(alpha * x.state[0]) + e.internal(beta * g));
    const double direction = e.view.text("mode") == "nesterov"
                                 ? e.internal(g + e.internal(alpha * x.state[0]))
                                 : x.state[0];
    x.weight = e.internal(x.weight - e.internal(rate * direction));
  }
};

class Adam final : public Optimizer {
 public:
  Adam()
      : Optimizer("Adam", "moments of g and g * g; x - R * v / (sqrt(h) + epsilon)", 2,
                  {number("alpha", 0.9, "decay of the first moment"),
                   number("beta", 0.999, "decay of the second moment"),
                   number("epsilon", std::nan(""), "added to the root; must be given"),
                   number("norm_coefficient", 0.0, "L2 penalty"),
                   number("norm_coefficient_post", 0.0, "share of the new weight taken off")}) {}
  /// ONNX's schema says 1e-6, its conformance case with several weights was computed with 1e-2.
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    if (std::isnan(view.number("epsilon")))
      throw base::InputError("Adam without epsilon: its default is not settled, please give it",
                             "unsupported-default");
    return Optimizer::infer(view);
  }

 protected:
  double adjusted_rate(const Evaluation& e, double rate, double count) const override {
    if (count <= 0.0) return rate;
    const double unbias = std::sqrt(1.0 - det_pow(e.view.number("beta"), count)) /
                          (1.0 - det_pow(e.view.number("alpha"), count));
    return e.internal(rate * e.internal(unbias));
  }
  void update(const Evaluation& e, double rate, Element& x) const override {
    const double alpha = e.view.number("alpha");
    const double beta = e.view.number("beta");
    const double g = regularised(e, x);
    const auto blend = [&](double decay, double old, double fresh) {
      return e.internal(e.internal(e.internal(decay) * old) +
                        e.internal(e.internal(1.0 - decay) * fresh));
    };
    x.state[0] = blend(alpha, x.state[0], g);
    x.state[1] = blend(beta, x.state[1], e.internal(g * g));
    const double root =
        e.internal(e.internal(std::sqrt(x.state[1])) + e.internal(e.view.number("epsilon")));
    x.weight = e.internal(x.weight - e.internal(e.internal(rate * x.state[0]) / root));
    const double post = e.view.number("norm_coefficient_post");
    if (post != 0.0) x.weight = e.internal(e.internal(1.0 - post) * x.weight);
  }
};

class Adagrad final : public Optimizer {
 public:
  Adagrad()
      : Optimizer("Adagrad", "h = h + g * g; x - R * g / (sqrt(h) + epsilon)", 1,
                  {number("decay_factor", 0.0, "R shrinks by 1 / (1 + T * decay_factor)"),
                   number("epsilon", 1e-6, "added to the root"),
                   number("norm_coefficient", 0.0, "L2 penalty")}) {}
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = Optimizer::vector_work(view)[0].elements / 4;
    return {{"mul", 3 * n}, {"add", 3 * n}, {"sqrt", n}, {"div", n}};
  }

 protected:
  double adjusted_rate(const Evaluation& e, double rate, double count) const override {
    return e.internal(rate / e.internal(1.0 + e.internal(count * e.view.number("decay_factor"))));
  }
  void update(const Evaluation& e, double rate, Element& x) const override {
    const double g = regularised(e, x);
    x.state[0] = e.internal(x.state[0] + e.internal(g * g));
    const double root =
        e.internal(e.internal(std::sqrt(x.state[0])) + e.internal(e.view.number("epsilon")));
    x.weight = e.internal(x.weight - e.internal(e.internal(rate * g) / root));
  }
};

}  // namespace

void register_optimizers(OpRegistry& registry) {
  registry.add(std::make_unique<Momentum>());
  registry.add(std::make_unique<Adam>());
  registry.add(std::make_unique<Adagrad>());
}

}  // namespace npusim::workloads
