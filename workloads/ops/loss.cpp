// SPDX-License-Identifier: Apache-2.0
// SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss over (N, C, d1, ...) with integer targets
// (N, d1, ...), class weights and an ignored target, and their gradients. Sums run in the order of
// the targets; a mean is one sum and one division.
#include "workloads/ops/families.h"
#include "workloads/ops/loss_rows.h"

namespace npusim::workloads {
namespace {

constexpr LossInputs kForward = {1, 2};

class Loss : public SimpleOp {
 public:
  Loss(const char* name, const char* description, int max_outputs)
      : SimpleOp({name,
                  description,
                  OpClass::vector,
                  2,
                  3,
                  {ignore_index_attribute(), reduction_attribute()},
                  false,
                  1,
                  max_outputs}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& scores = view.input(0).shape;
    check_loss(view, scores, kForward);
    return {{reduced_shape(view, view.input(1).shape), ElementType::floating},
            {scores, ElementType::floating}};
  }
  bool differentiable() const override { return true; }

 protected:
  static std::int64_t rows_of(const NodeView& view) { return elements_of(view.input(1)); }
  static std::int64_t weighting(const NodeView& view) {
    return view.has_input(2) ? rows_of(view) : 0;
  }

  /// losses[row] = -log p of the row's target, times its weight; then the reduction.
  template <class LogProbability>
  static void reduce(Evaluation& e, const LogProbability& log_probability) {
    const LossRows loss(e, e.inputs[0]->shape, kForward);
    std::vector<double>& y = e.outputs[0].values;
    double sum = 0.0;
    for (std::int64_t row = 0; row < loss.rows().rows(); ++row) {
      const auto target = loss.target(row);
      double value = target ? log_probability(loss.rows(), row, *target) : 0.0;
      if (target && loss.weighted()) value = e.internal(value * loss.weight(*target));
      if (loss.reduces())
        sum = target ? e.internal(sum - value) : sum;
      else
        y[static_cast<std::size_t>(row)] = 0.0 - value;
    }
    if (loss.reduces()) y[0] = e.internal(sum / loss.divisor(e.internal));
  }

  static std::vector<TensorId> gradient_inputs(GradientBuilder& g, std::vector<TensorId> inputs) {
    if (g.view().has_input(2)) inputs.push_back(g.view().node().inputs[2]);
    return inputs;
  }
};

class SoftmaxCrossEntropyLoss final : public Loss {
 public:
  SoftmaxCrossEntropyLoss()
      : Loss("SoftmaxCrossEntropyLoss",
             "cross entropy of softmax(scores) with integer targets; second output log softmax",
             2) {}
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.input(0));
    const std::int64_t rows = rows_of(view);
    std::vector<VectorWork> work = {
        {"max", n}, {"add", 2 * n + 3 * rows}, {"exp", n}, {"log", rows}, {"div", 1}};
    if (weighting(view) > 0) work.push_back({"mul", weighting(view)});
    if (view.output_count() > 1) work.push_back({"copy", n});
    return work;
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    reduce(e, [&](const RowsAlongAxis& rows, std::int64_t row, std::int64_t target) {
      const StableExponentials s = stable_exponentials(x.values, rows, row, e.internal);
      return log_softmax(x, rows.at(row, target), s, e.internal);
    });
    if (e.outputs.size() < 2) return;
    const RowsAlongAxis rows = rows_along(x.shape, 1);
    for (std::int64_t row = 0; row < rows.rows(); ++row) {
      const StableExponentials s = stable_exponentials(x.values, rows, row, e.internal);
      for (std::int64_t i = 0; i < rows.length; ++i)
        e.outputs[1].values[rows.at(row, i)] = log_softmax(x, rows.at(row, i), s, e.internal);
    }
  }
  void gradient(GradientBuilder& g) const override {
    const Node& node = g.view().node();
    if (node.outputs.size() > 1 && g.output_gradient(1) != kNoTensor)
      throw base::InputError(node.name + ": no gradient flows through its second output",
                             "not-differentiable");
    if (g.wanted(0))
      g.set_input_gradient(
          0, g.add("SoftmaxCrossEntropyLossGradient", "dx",
                   gradient_inputs(g, {g.output_gradient(0), node.inputs[0], node.inputs[1]}),
                   node.attributes, gradient_role(g, 0)));
  }
  std::vector<std::string> decomposes_into() const override {
    return {"LogSoftmax", "NegativeLogLikelihoodLoss"};
  }
  std::vector<TensorId> decompose(DecompositionBuilder& d) const override {
    const Node& node = d.view().node();
    const TensorId log_probabilities =
        d.add("LogSoftmax", "log_softmax", {node.inputs[0]}, {{"axis", std::int64_t{1}}});
    std::vector<TensorId> inputs = node.inputs;
    inputs[0] = log_probabilities;
    std::vector<TensorId> results = {
        d.add("NegativeLogLikelihoodLoss", "nll", inputs, node.attributes)};
    if (node.outputs.size() > 1) results.push_back(log_probabilities);
    return results;
  }

 private:
  static double log_softmax(const Tensor& x, std::size_t at, const StableExponentials& s,
                            const VectorArithmetic& internal) {
    return internal(internal(x.values[at] - s.max) - internal(internal.log(s.sum)));
  }
};

/// (softmax(x) - one_hot(target)) * weight * dloss / divisor; 0 where the target is ignored.
class SoftmaxCrossEntropyLossGradient final : public SimpleOp {
 public:
  SoftmaxCrossEntropyLossGradient()
      : SimpleOp({"SoftmaxCrossEntropyLossGradient",
                  "gradient of SoftmaxCrossEntropyLoss from (dloss, scores, targets, weights)",
                  OpClass::vector,
                  3,
                  4,
                  {ignore_index_attribute(), reduction_attribute()},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_loss(view, view.input(1).shape, kInputs);
    return {{view.input(1).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    return {{"max", n},
            {"add", 2 * n + elements_of(view.input(2))},
            {"exp", n},
            {"div", n},
            {"mul", n}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[1];
    const LossRows loss(e, x.shape, kInputs);
    const double shared = e.internal(e.inputs[0]->values[0] / loss.divisor(e.internal));
    std::vector<double>& dx = e.outputs[0].values;
    std::fill(dx.begin(), dx.end(), 0.0);
    for (std::int64_t row = 0; row < loss.rows().rows(); ++row) {
      const auto target = loss.target(row);
      if (!target) continue;
      const StableExponentials s = stable_exponentials(x.values, loss.rows(), row, e.internal);
      const double scale = loss.scale(row, *target, shared, *e.inputs[0], e.internal);
      for (std::int64_t i = 0; i < loss.rows().length; ++i) {
        const std::size_t at = loss.rows().at(row, i);
        const double exponential = e.internal(e.internal.exp(e.internal(x.values[at] - s.max)));
        const double probability = e.internal(e.internal.divide(exponential, s.sum));
        const double difference = i == *target ? e.internal(probability - 1.0) : probability;
        dx[at] = e.internal(difference * scale);
      }
    }
  }

 private:
  static constexpr LossInputs kInputs = {2, 3};
};

class NegativeLogLikelihoodLoss final : public Loss {
 public:
  NegativeLogLikelihoodLoss()
      : Loss("NegativeLogLikelihoodLoss", "mean, sum or all of -scores at the integer targets", 1) {
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    std::vector<VectorWork> work = {{"add", rows_of(view)}, {"div", 1}};
    if (weighting(view) > 0) work.push_back({"mul", weighting(view)});
    return work;
  }
  void forward(Evaluation& e) const override {
    reduce(e, [&](const RowsAlongAxis& rows, std::int64_t row, std::int64_t target) {
      return e.inputs[0]->values[rows.at(row, target)];
    });
  }
  void gradient(GradientBuilder& g) const override {
    const NodeView view = g.view();
    if (!g.wanted(0)) return;
    Attributes attributes = view.node().attributes;
    attributes["classes"] = view.input(0).shape[1];
    g.set_input_gradient(0, g.add("NegativeLogLikelihoodLossGradient", "dx",
                                  gradient_inputs(g, {g.output_gradient(0), view.node().inputs[1]}),
                                  attributes, gradient_role(g, 0)));
  }
};

class NegativeLogLikelihoodLossGradient final : public SimpleOp {
 public:
  NegativeLogLikelihoodLossGradient()
      : SimpleOp({"NegativeLogLikelihoodLossGradient",
                  "gradient of NegativeLogLikelihoodLoss from (dloss, targets, weights)",
                  OpClass::vector,
                  2,
                  3,
                  {{"classes", std::int64_t{1}, true, "extent of the scores along axis 1"},
                   ignore_index_attribute(),
                   reduction_attribute()},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    Shape scores = view.input(1).shape;
    if (scores.empty()) shape_error("the targets must have rank 1 or more");
    scores.insert(scores.begin() + 1, view.integer("classes"));
    check_loss(view, scores, kForward);
    return {{scores, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"copy", elements_of(view.output())}, {"div", 1}};
  }
  void forward(Evaluation& e) const override {
    Tensor& dx = e.outputs[0];
    std::fill(dx.values.begin(), dx.values.end(), 0.0);
    const LossRows loss(e, dx.shape, kForward);
    const double shared = e.internal(-e.inputs[0]->values[0] / loss.divisor(e.internal));
    Tensor negated = *e.inputs[0];
    for (double& value : negated.values) value = -value;
    for (std::int64_t row = 0; row < loss.rows().rows(); ++row)
      if (const auto target = loss.target(row))
        dx.values[loss.rows().at(row, *target)] =
            loss.scale(row, *target, shared, negated, e.internal);
  }
};

}  // namespace

void register_loss(OpRegistry& registry) {
  registry.add(std::make_unique<SoftmaxCrossEntropyLoss>());
  registry.add(std::make_unique<SoftmaxCrossEntropyLossGradient>());
  registry.add(std::make_unique<NegativeLogLikelihoodLoss>());
  registry.add(std::make_unique<NegativeLogLikelihoodLossGradient>());
  register_ctc_loss(registry);
}

}  // namespace npusim::workloads
