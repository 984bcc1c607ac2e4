// SPDX-License-Identifier: Apache-2.0
// ai.onnx.preview.training's Momentum, Adam and Adagrad.
#include <cmath>

#include "workloads/detmath.h"
#include "workloads/ops/families.h"
#include "workloads/ops/optimizer_op.h"

namespace npusim::workloads {
namespace {

AttributeSpec required_number(const char* name, const char* description) {
  return {name, 0.0, true, description};
}

class Momentum final : public OptimizerOp {
 public:
  Momentum()
      : OptimizerOp("Momentum", "v = alpha * v + beta * g; x - R * v, or Nesterov's form", 1,
                    {required_number("alpha", "decay of the momentum"),
                     required_number("beta", "factor of the gradient after the first update"),
                     {"mode", std::string("standard"), true, "standard or nesterov"},
                     required_number("norm_coefficient", "L2 penalty")}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    if (view.text("mode") != "standard" && view.text("mode") != "nesterov")
      shape_error("attribute mode \"" + view.text("mode") + "\" is none of standard, nesterov");
    return OptimizerOp::infer(view);
  }

 protected:
  double adjusted_rate(const Evaluation&, double rate, double) const override { return rate; }
  void update(const Evaluation& e, const OptimizerSettings& s, double rate,
              OptimizedElement& x) const override {
    const double alpha = e.internal(s.alpha);
    const double beta = s.count > 0.0 ? e.internal(s.beta) : 1.0;
    const double g = regularised(e, s, x);
    x.state[0] = e.internal(e.internal(alpha * x.state[0]) + e.internal(beta * g));
    const double direction =
        s.nesterov ? e.internal(g + e.internal(alpha * x.state[0])) : x.state[0];
    x.weight = e.internal(x.weight - e.internal(rate * direction));
  }
};

class Adam final : public OptimizerOp {
 public:
  Adam()
      : OptimizerOp(
            "Adam", "moments of g and g * g; x - R * v / (sqrt(h) + epsilon)", 2,
            {optimizer_number("alpha", 0.9, "decay of the first moment"),
             optimizer_number("beta", 0.999, "decay of the second moment"),
             optimizer_number("epsilon", std::nan(""), "added to the root; must be given"),
             optimizer_number("norm_coefficient", 0.0, "L2 penalty"),
             optimizer_number("norm_coefficient_post", 0.0, "share of the new weight taken off")}) {
  }
  /// ONNX's schema says 1e-6, its conformance case with several weights was computed with 1e-2.
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    if (std::isnan(view.number("epsilon")))
      throw base::InputError("Adam without epsilon: its default is not settled, please give it",
                             "unsupported-default");
    return OptimizerOp::infer(view);
  }

 protected:
  double adjusted_rate(const Evaluation& e, double rate, double count) const override {
    if (count <= 0.0) return rate;
    const double unbias = std::sqrt(1.0 - det_pow(e.view.number("beta"), count)) /
                          (1.0 - det_pow(e.view.number("alpha"), count));
    return e.internal(rate * e.internal(unbias));
  }
  void update(const Evaluation& e, const OptimizerSettings& s, double rate,
              OptimizedElement& x) const override {
    const double alpha = s.alpha;
    const double beta = s.beta;
    const double g = regularised(e, s, x);
    const auto blend = [&](double decay, double old, double fresh) {
      return e.internal(e.internal(e.internal(decay) * old) +
                        e.internal(e.internal(1.0 - decay) * fresh));
    };
    x.state[0] = blend(alpha, x.state[0], g);
    x.state[1] = blend(beta, x.state[1], e.internal(g * g));
    const double root = e.internal(e.internal(e.internal.sqrt(x.state[1])) + e.internal(s.epsilon));
    x.weight =
        e.internal(x.weight - e.internal(e.internal.divide(e.internal(rate * x.state[0]), root)));
    const double post = s.norm_coefficient_post;
    if (post != 0.0) x.weight = e.internal(e.internal(1.0 - post) * x.weight);
  }
};

class Adagrad final : public OptimizerOp {
 public:
  Adagrad()
      : OptimizerOp(
            "Adagrad", "h = h + g * g; x - R * g / (sqrt(h) + epsilon)", 1,
            {optimizer_number("decay_factor", 0.0, "R shrinks by 1 / (1 + T * decay_factor)"),
             optimizer_number("epsilon", 1e-6, "added to the root"),
             optimizer_number("norm_coefficient", 0.0, "L2 penalty")}) {}
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = weight_elements(view);
    return {{"mul", 3 * n}, {"add", 3 * n}, {"sqrt", n}, {"div", n}};
  }

 protected:
  double adjusted_rate(const Evaluation& e, double rate, double count) const override {
    return e.internal(rate / e.internal(1.0 + e.internal(count * e.view.number("decay_factor"))));
  }
  void update(const Evaluation& e, const OptimizerSettings& s, double rate,
              OptimizedElement& x) const override {
    const double g = regularised(e, s, x);
    x.state[0] = e.internal(x.state[0] + e.internal(g * g));
    const double root = e.internal(e.internal(e.internal.sqrt(x.state[0])) + e.internal(s.epsilon));
    x.weight = e.internal(x.weight - e.internal(e.internal.divide(e.internal(rate * g), root)));
  }
};

}  // namespace

void register_optimizers(OpRegistry& registry) {
  registry.add(std::make_unique<Momentum>());
  registry.add(std::make_unique<Adam>());
  registry.add(std::make_unique<Adagrad>());
}

}  // namespace npusim::workloads
