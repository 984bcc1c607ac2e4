// SPDX-License-Identifier: Apache-2.0
// SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss over (N, C) with integer targets (N), and
// their gradients. The mean is a sum in index order and one division.
#include "workloads/detmath.h"
#include "workloads/ops/families.h"
#include "workloads/ops/rows_along_axis.h"

namespace npusim::workloads {
namespace {

std::vector<AttributeSpec> reduction_attribute() {
  return {{"reduction", std::string("mean"), false, "mean or sum"}};
}

void check_loss_inputs(const NodeView& view, int scores, int labels) {
  require_rank(view, scores, 2, "the scores");
  const Shape& x = view.input(scores).shape;
  if (view.input(labels).shape != Shape{x[0]} || view.input(labels).type != ElementType::int64)
    shape_error("the targets " + view.input(labels).name + " must be int64 of shape [" +
                std::to_string(x[0]) + "]");
  const std::string& reduction = view.text("reduction");
  if (reduction != "mean" && reduction != "sum")
    shape_error("attribute reduction \"" + reduction + "\" is neither mean nor sum");
}

std::int64_t label_of(const Tensor& labels, std::int64_t row, std::int64_t classes) {
  const auto label = static_cast<std::int64_t>(labels.values[static_cast<std::size_t>(row)]);
  if (label < 0 || label >= classes)
    throw base::InputError("target " + std::to_string(label) + " of row " + std::to_string(row) +
                               " is outside 0.." + std::to_string(classes - 1),
                           "out-of-range");
  return label;
}

/// Divisor of a mean; 1 for a sum.
double divisor_of(const NodeView& view, std::int64_t rows) {
  return view.text("reduction") == "mean" ? static_cast<double>(rows) : 1.0;
}

class Loss : public SimpleOp {
 public:
  Loss(const char* name, const char* description)
      : SimpleOp({name, description, OpClass::vector, 2, 2, reduction_attribute()}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_loss_inputs(view, 0, 1);
    return {{{}, ElementType::floating}};
  }
  bool differentiable() const override { return true; }

 protected:
  static Attributes same_attributes(GradientBuilder& g) { return g.view().node().attributes; }
};

class SoftmaxCrossEntropyLoss final : public Loss {
 public:
  SoftmaxCrossEntropyLoss()
      : Loss("SoftmaxCrossEntropyLoss", "cross entropy of softmax(scores) with integer targets") {}
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.input(0));
    const std::int64_t rows = view.input(0).shape[0];
    return {{"max", n}, {"add", 2 * n + 3 * rows}, {"exp", n}, {"log", rows}, {"div", 1}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    const RowsAlongAxis rows = rows_along(x.shape, 1);
    double sum = 0.0;
    for (std::int64_t row = 0; row < rows.rows(); ++row) {
      const StableExponentials s = stable_exponentials(x.values, rows, row, e.internal);
      const std::size_t at = rows.at(row, label_of(*e.inputs[1], row, rows.length));
      const double shifted = e.internal(x.values[at] - s.max);
      const double log_probability = e.internal(shifted - e.internal(det_log(s.sum)));
      sum = e.internal(sum - log_probability);
    }
    e.outputs[0].values[0] = e.internal(sum / divisor_of(e.view, rows.rows()));
  }
  void gradient(GradientBuilder& g) const override {
    const Node& node = g.view().node();
    if (g.wanted(0))
      g.set_input_gradient(0, g.add("SoftmaxCrossEntropyLossGradient", "dx",
                                    {g.output_gradient(0), node.inputs[0], node.inputs[1]},
                                    same_attributes(g), gradient_role(g, 0)));
  }
  std::vector<std::string> decomposes_into() const override {
    return {"LogSoftmax", "NegativeLogLikelihoodLoss"};
  }
  std::vector<TensorId> decompose(DecompositionBuilder& d) const override {
    const Node& node = d.view().node();
    const TensorId log_probabilities =
        d.add("LogSoftmax", "log_softmax", {node.inputs[0]}, {{"axis", std::int64_t{1}}});
    return {d.add("NegativeLogLikelihoodLoss", "nll", {log_probabilities, node.inputs[1]},
                  node.attributes)};
  }
};

/// (softmax(x) - one_hot(target)) * dloss / N.
class SoftmaxCrossEntropyLossGradient final : public SimpleOp {
 public:
  SoftmaxCrossEntropyLossGradient()
      : SimpleOp({"SoftmaxCrossEntropyLossGradient",
                  "gradient of SoftmaxCrossEntropyLoss from (dloss, scores, targets)",
                  OpClass::vector, 3, 3, reduction_attribute(), true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_loss_inputs(view, 1, 2);
    return {{view.input(1).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    return {
        {"max", n}, {"add", 2 * n + view.output().shape[0]}, {"exp", n}, {"div", n}, {"mul", n}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[1];
    const RowsAlongAxis rows = rows_along(x.shape, 1);
    const double scale = e.internal(e.inputs[0]->values[0] / divisor_of(e.view, rows.rows()));
    for (std::int64_t row = 0; row < rows.rows(); ++row) {
      const StableExponentials s = stable_exponentials(x.values, rows, row, e.internal);
      const std::int64_t label = label_of(*e.inputs[2], row, rows.length);
      for (std::int64_t i = 0; i < rows.length; ++i) {
        const std::size_t at = rows.at(row, i);
        const double exponential = e.internal(det_exp(e.internal(x.values[at] - s.max)));
        const double probability = e.internal(exponential / s.sum);
        const double difference = i == label ? e.internal(probability - 1.0) : probability;
        e.outputs[0].values[at] = e.internal(difference * scale);
      }
    }
  }
};

class NegativeLogLikelihoodLoss final : public Loss {
 public:
  NegativeLogLikelihoodLoss()
      : Loss("NegativeLogLikelihoodLoss", "mean or sum of -scores at the integer targets") {}
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"add", view.input(0).shape[0]}, {"div", 1}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    const RowsAlongAxis rows = rows_along(x.shape, 1);
    double sum = 0.0;
    for (std::int64_t row = 0; row < rows.rows(); ++row)
      sum = e.internal(sum - x.values[rows.at(row, label_of(*e.inputs[1], row, rows.length))]);
    e.outputs[0].values[0] = e.internal(sum / divisor_of(e.view, rows.rows()));
  }
  void gradient(GradientBuilder& g) const override {
    const NodeView view = g.view();
    if (!g.wanted(0)) return;
    Attributes attributes = same_attributes(g);
    attributes["classes"] = view.input(0).shape[1];
    g.set_input_gradient(
        0, g.add("NegativeLogLikelihoodLossGradient", "dx",
                 {g.output_gradient(0), view.node().inputs[1]}, attributes, gradient_role(g, 0)));
  }
};

class NegativeLogLikelihoodLossGradient final : public SimpleOp {
 public:
  NegativeLogLikelihoodLossGradient()
      : SimpleOp({"NegativeLogLikelihoodLossGradient",
                  "gradient of NegativeLogLikelihoodLoss from (dloss, targets)",
                  OpClass::vector,
                  2,
                  2,
                  {{"classes", std::int64_t{1}, true, "columns of the scores"},
                   {"reduction", std::string("mean"), false, "mean or sum"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{{view.input(1).shape.at(0), view.integer("classes")}, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"copy", elements_of(view.output())}, {"div", 1}};
  }
  void forward(Evaluation& e) const override {
    Tensor& dx = e.outputs[0];
    std::fill(dx.values.begin(), dx.values.end(), 0.0);
    const double value = e.internal(-e.inputs[0]->values[0] / divisor_of(e.view, dx.shape[0]));
    for (std::int64_t row = 0; row < dx.shape[0]; ++row)
      dx.values[static_cast<std::size_t>(row * dx.shape[1] +
                                         label_of(*e.inputs[1], row, dx.shape[1]))] = value;
  }
};

}  // namespace

void register_loss(OpRegistry& registry) {
  registry.add(std::make_unique<SoftmaxCrossEntropyLoss>());
  registry.add(std::make_unique<SoftmaxCrossEntropyLossGradient>());
  registry.add(std::make_unique<NegativeLogLikelihoodLoss>());
  registry.add(std::make_unique<NegativeLogLikelihoodLossGradient>());
}

}  // namespace npusim::workloads
