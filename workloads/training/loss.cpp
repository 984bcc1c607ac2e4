// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/loss.h"

#include <numeric>

#include "base/error.h"

namespace npusim::workloads {
namespace {

TensorId part(Graph& graph, const std::string& op, const std::string& name,
              std::vector<TensorId> inputs) {
  return graph
      .add_node(op, "loss." + name, std::move(inputs), {}, {"loss." + name + ".out"},
                TensorRole::loss)
      .front();
}

TensorId add_mean(Graph& graph, TensorId of) {
  std::vector<std::int64_t> axes(graph.tensor(of).shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  return graph
      .add_node("ReduceMean", "loss", {of}, {{"axes", axes}, {"keepdims", std::int64_t{0}}},
                {"loss"}, TensorRole::loss)
      .front();
}

void check_same_shape(const Graph& graph, const std::string& loss, TensorId x, TensorId t) {
  if (graph.tensor(x).shape == graph.tensor(t).shape) return;
  throw base::InputError(loss + ": labels " + graph.tensor(t).name + " " +
                             to_string(graph.tensor(t).shape) + " do not have the shape of " +
                             graph.tensor(x).name + " " + to_string(graph.tensor(x).shape),
                         "shape-mismatch");
}

}  // namespace

const std::vector<std::string>& loss_names() {
  static const std::vector<std::string> kNames = {"SoftmaxCrossEntropyLoss",
                                                  "NegativeLogLikelihoodLoss", "MeanSquaredError",
                                                  "BinaryCrossEntropyWithLogits", "CtcLoss"};
  return kNames;
}

bool takes_classes(const std::string& loss) {
  return loss == "SoftmaxCrossEntropyLoss" || loss == "NegativeLogLikelihoodLoss";
}

bool takes_integer_labels(const std::string& loss) {
  return takes_classes(loss) || loss == "CtcLoss";
}

TensorId add_loss(Graph& graph, const std::string& loss, TensorId logits, TensorId labels) {
  if (takes_integer_labels(loss))
    return graph.add_node(loss, "loss", {logits, labels}, {}, {"loss"}, TensorRole::loss).front();
  check_same_shape(graph, loss, logits, labels);
  if (loss == "MeanSquaredError") {
    const TensorId difference = part(graph, "Sub", "difference", {logits, labels});
    return add_mean(graph, part(graph, "Mul", "square", {difference, difference}));
  }
  const TensorId softplus = part(graph, "Softplus", "softplus", {logits});
  const TensorId product = part(graph, "Mul", "product", {logits, labels});
  return add_mean(graph, part(graph, "Sub", "cross_entropy", {softplus, product}));
}

}  // namespace npusim::workloads
