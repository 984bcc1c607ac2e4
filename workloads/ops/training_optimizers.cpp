// SPDX-License-Identifier: Apache-2.0
// Optimizers that ONNX has no op for, with the inputs of its Adam (R, T, X, G, states); the first
// update has T = 1. Where the rules come from:
//   AdamW    Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2
//   RmsProp  Tieleman & Hinton 2012, lecture 6.5
//   Lion     Chen et al., "Symbolic discovery of optimization algorithms", 2023, algorithm 2
//   Lamb     You et al., "Large batch optimization for deep learning", ICLR 2020, algorithm 2, with
//            the identity for phi; the ratio is 1 where a norm is 0
#include <cmath>

#include "workloads/ops/families.h"
#include "workloads/ops/optimizer_op.h"

namespace npusim::workloads {
namespace {

std::vector<AttributeSpec> moment_attributes() {
  return {optimizer_number("alpha", 0.9, "decay of the first moment"),
          optimizer_number("beta", 0.999, "decay of the second moment"),
          optimizer_number("epsilon", 1e-8, "added to the root"),
          optimizer_number("weight_decay", 0.0, "decoupled")};
}

/// decay * old + (1 - decay) * fresh.
double blended(const precision::Rounder& internal, double decay, double old, double fresh) {
  return internal(internal(internal(decay) * old) + internal(internal(1.0 - decay) * fresh));
}

/// Both moments brought up to date; returns m^ / (sqrt(v^) + epsilon) of update T.
double moment_ratio(const Evaluation& e, const OptimizerSettings& s, OptimizedElement& x) {
  x.state[0] = blended(e.internal, s.alpha, x.state[0], x.gradient);
  x.state[1] = blended(e.internal, s.beta, x.state[1], e.internal(x.gradient * x.gradient));
  const double first = e.internal(x.state[0] / s.first_rest);
  const double second = e.internal(x.state[1] / s.second_rest);
  const double root = e.internal(e.internal(e.internal.sqrt(second)) + e.internal(s.epsilon));
  return e.internal(e.internal.divide(first, root));
}

class AdamW final : public OptimizerOp {
 public:
  AdamW()
      : OptimizerOp("AdamW", "Adam with decoupled decay: x - R * (m^ / (sqrt(v^) + epsilon) + d x)",
                    2, moment_attributes(), true) {}
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = weight_elements(view);
    return {{"mul", 7 * n}, {"add", 5 * n}, {"sqrt", n}, {"div", 3 * n}};
  }

 protected:
  double adjusted_rate(const Evaluation&, double rate, double) const override { return rate; }
  void update(const Evaluation& e, const OptimizerSettings& s, double rate,
              OptimizedElement& x) const override {
    const double decay = e.internal(s.weight_decay);
    double step = moment_ratio(e, s, x);
    if (decay != 0.0) step = e.internal(step + e.internal(decay * x.weight));
    x.weight = e.internal(x.weight - e.internal(rate * step));
  }
};

class RmsProp final : public OptimizerOp {
 public:
  RmsProp()
      : OptimizerOp("RmsProp", "v = beta v + (1 - beta) g g; x - R * g / (sqrt(v) + epsilon)", 1,
                    {optimizer_number("beta", 0.99, "decay of the second moment"),
                     optimizer_number("epsilon", 1e-8, "added to the root"),
                     optimizer_number("norm_coefficient", 0.0, "L2 penalty")},
                    true) {}
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = weight_elements(view);
    return {{"mul", 4 * n}, {"add", 3 * n}, {"sqrt", n}, {"div", n}};
  }

 protected:
  double adjusted_rate(const Evaluation&, double rate, double) const override { return rate; }
  void update(const Evaluation& e, const OptimizerSettings& s, double rate,
              OptimizedElement& x) const override {
    const double g = regularised(e, s, x);
    x.state[0] = blended(e.internal, s.beta, x.state[0], e.internal(g * g));
    const double root = e.internal(e.internal(e.internal.sqrt(x.state[0])) + e.internal(s.epsilon));
    x.weight = e.internal(x.weight - e.internal(e.internal.divide(e.internal(rate * g), root)));
  }
};

class Lion final : public OptimizerOp {
 public:
  Lion()
      : OptimizerOp("Lion", "x - R * (sign(alpha m + (1 - alpha) g) + d x); m = beta m + ...", 1,
                    {optimizer_number("alpha", 0.9, "share of the momentum in the step"),
                     optimizer_number("beta", 0.99, "decay of the momentum"),
                     optimizer_number("weight_decay", 0.0, "decoupled")},
                    true) {}
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = weight_elements(view);
    return {{"mul", 6 * n}, {"add", 4 * n}, {"compare", n}};
  }

 protected:
  double adjusted_rate(const Evaluation&, double rate, double) const override { return rate; }
  void update(const Evaluation& e, const OptimizerSettings& s, double rate,
              OptimizedElement& x) const override {
    const double decay = e.internal(s.weight_decay);
    const double mixed = blended(e.internal, s.alpha, x.state[0], x.gradient);
    double step = mixed > 0.0 ? 1.0 : mixed < 0.0 ? -1.0 : mixed;  // NaN stays
    if (decay != 0.0) step = e.internal(step + e.internal(decay * x.weight));
    x.state[0] = blended(e.internal, s.beta, x.state[0], x.gradient);
    x.weight = e.internal(x.weight - e.internal(rate * step));
  }
};

/// The step is scaled by the ratio of two norms of the whole tensor: two passes. Sums of squares
/// are taken in FP64 and rounded once.
class Lamb final : public OptimizerOp {
 public:
  Lamb()
      : OptimizerOp("Lamb", "AdamW whose step of each tensor is scaled to the norm of its weights",
                    2, moment_attributes(), true) {}
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = weight_elements(view);
    return {{"mul", 10 * n}, {"add", 7 * n}, {"sqrt", n}, {"div", 3 * n}};
  }
  void forward(Evaluation& e) const override {
    const std::size_t weights = weight_count(e.inputs.size());
    const OptimizerSettings s = settings_of(e);
    for (std::size_t k = 0; k < weights; ++k) one_weight(e, s, weights, k);
  }

 protected:
  double adjusted_rate(const Evaluation&, double rate, double) const override { return rate; }
  void update(const Evaluation&, const OptimizerSettings&, double,
              OptimizedElement&) const override {}

 private:
  static void one_weight(Evaluation& e, const OptimizerSettings& s, std::size_t weights,
                         std::size_t k) {
    const std::vector<double>& w = e.inputs[2 + k]->values;
    const double decay = e.internal(s.weight_decay);
    std::vector<double> step(w.size());
    double weight_squares = 0.0, step_squares = 0.0;
    for (std::size_t i = 0; i < w.size(); ++i) {
      OptimizedElement x{
          w[i],
          e.inputs[2 + weights + k]->values[i],
          {e.inputs[2 + 2 * weights + k]->values[i], e.inputs[2 + 3 * weights + k]->values[i]}};
      step[i] = moment_ratio(e, s, x);
      if (decay != 0.0) step[i] = e.internal(step[i] + e.internal(decay * w[i]));
      e.outputs[weights + k].values[i] = x.state[0];
      e.outputs[2 * weights + k].values[i] = x.state[1];
      weight_squares += w[i] * w[i];
      step_squares += step[i] * step[i];
    }
    const double weight_norm = e.internal(e.internal.sqrt(weight_squares));
    const double step_norm = e.internal(e.internal.sqrt(step_squares));
    const bool zero = weight_norm == 0.0 || step_norm == 0.0;
    const double ratio = zero ? 1.0 : e.internal(e.internal.divide(weight_norm, step_norm));
    const double rate = e.internal(e.inputs[0]->values[0] * ratio);
    for (std::size_t i = 0; i < w.size(); ++i)
      e.outputs[k].values[i] = e.internal(w[i] - e.internal(rate * step[i]));
  }
};

}  // namespace

void register_training_optimizers(OpRegistry& registry) {
  registry.add(std::make_unique<AdamW>());
  registry.add(std::make_unique<RmsProp>());
  registry.add(std::make_unique<Lion>());
  registry.add(std::make_unique<Lamb>());
}

}  // namespace npusim::workloads
