// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/loss.h"

#include <numeric>

#include "base/error.h"

namespace npusim::workloads {
namespace {

TensorId add_mean(Graph& graph, TensorId of, const std::string& name) {
  std::vector<std::int64_t> axes(graph.tensor(of).shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  return graph
      .add_node("ReduceMean", name, {of}, {{"axes", axes}, {"keepdims", std::int64_t{0}}}, {name},
                TensorRole::loss)
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

TensorId add_loss(Graph& graph, const std::string& loss, TensorId logits, TensorId labels,
                  const std::string& name) {
  const auto part = [&](const std::string& op, const std::string& what,
                        std::vector<TensorId> inputs) {
    const std::string node = name + "." + what;
    return graph.add_node(op, node, std::move(inputs), {}, {node + ".out"}, TensorRole::loss)
        .front();
  };
  if (takes_integer_labels(loss))
    return graph.add_node(loss, name, {logits, labels}, {}, {name}, TensorRole::loss).front();
  check_same_shape(graph, loss, logits, labels);
  if (loss == "MeanSquaredError") {
    const TensorId difference = part("Sub", "difference", {logits, labels});
    return add_mean(graph, part("Mul", "square", {difference, difference}), name);
  }
  const TensorId softplus = part("Softplus", "softplus", {logits});
  const TensorId product = part("Mul", "product", {logits, labels});
  return add_mean(graph, part("Sub", "cross_entropy", {softplus, product}), name);
}

}  // namespace npusim::workloads
