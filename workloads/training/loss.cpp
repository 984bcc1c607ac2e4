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

/// sum over the numbers of a box, in their units, of min(|d|, 1) (|d| - min(|d|, 1) / 2): d^2 / 2
/// below 1, |d| - 1/2 above. Then the mean over the samples, and the class's cross entropy on top.
class ClassAndBox {
 public:
  ClassAndBox(Graph& graph, std::string name) : graph_(graph), name_(std::move(name)) {}

  TensorId add(TensorId logits, TensorId labels) {
    const Shape scores = graph_.tensor(logits).shape, truth = graph_.tensor(labels).shape;
    const std::int64_t samples = scores.empty() ? 0 : scores[0];
    if (scores.size() != 2 || scores[1] <= kBoxNumbers || truth != Shape{samples, 1 + kBoxNumbers})
      throw base::InputError(
          "ClassAndBoxLoss takes logits (samples, classes + 4) and labels "
          "(samples, 5), not " +
              to_string(scores) + " and " + to_string(truth),
          "shape-mismatch");
    const std::int64_t classes = scores[1] - kBoxNumbers;
    const TensorId column = slice("class_column", labels, 0, 1);
    const TensorId row = node("ReshapeTo", "class_row", {column}, {{"shape", Integers{samples}}});
    const TensorId target = node("Cast", "class", {row}, {{"to", std::int64_t{7}}});  // int64
    const TensorId cross_entropy = node("SoftmaxCrossEntropyLoss", "cross_entropy",
                                        {slice("scores", logits, 0, classes), target}, {});
    const TensorId difference = node(
        "Sub", "difference",
        {slice("found", logits, classes, scores[1]), slice("box", labels, 1, 1 + kBoxNumbers)}, {});
    const TensorId units = node("Mul", "units", {difference, constant("unit", 1.0 / kBoxUnit)}, {});
    const TensorId off = node("Abs", "distance", {units}, {});
    const TensorId capped = node("Clip", "capped", {off}, {{"min", 0.0}, {"max", 1.0}});
    const TensorId half = node("Mul", "half", {capped, constant("one_half", 0.5)}, {});
    const TensorId smooth =
        node("Mul", "smooth_l1", {capped, node("Sub", "linear", {off, half}, {})}, {});
    const TensorId sum = node("ReduceSum", "box_sum", {smooth},
                              {{"axes", Integers{1}}, {"keepdims", std::int64_t{0}}});
    const TensorId mean = node("ReduceMean", "box_mean", {sum},
                               {{"axes", Integers{0}}, {"keepdims", std::int64_t{0}}});
    return graph_.add_node("Add", name_, {cross_entropy, mean}, {}, {name_}, TensorRole::loss)
        .front();
  }

 private:
  using Integers = std::vector<std::int64_t>;

  TensorId node(const std::string& op, const std::string& what, std::vector<TensorId> inputs,
                Attributes attributes) {
    const std::string at = name_ + "." + what;
    return graph_
        .add_node(op, at, std::move(inputs), std::move(attributes), {at + ".out"}, TensorRole::loss)
        .front();
  }
  TensorId slice(const std::string& what, TensorId x, std::int64_t first, std::int64_t end) {
    return node("Slice", what, {x},
                {{"axes", Integers{1}}, {"starts", Integers{first}}, {"ends", Integers{end}}});
  }
  TensorId constant(const char* what, double value) {
    TensorInfo info;
    info.name = name_ + "." + what;
    info.role = TensorRole::loss;
    info.initializer = Initializer{};
    info.initializer->value = value;
    return graph_.add_tensor(std::move(info));
  }

  Graph& graph_;
  std::string name_;
};

}  // namespace

const std::vector<std::string>& loss_names() {
  static const std::vector<std::string> kNames = {"SoftmaxCrossEntropyLoss",
                                                  "NegativeLogLikelihoodLoss",
                                                  "MeanSquaredError",
                                                  "BinaryCrossEntropyWithLogits",
                                                  "CtcLoss",
                                                  "ClassAndBoxLoss"};
  return kNames;
}

bool takes_classes(const std::string& loss) {
  return loss == "SoftmaxCrossEntropyLoss" || loss == "NegativeLogLikelihoodLoss";
}

bool takes_boxes(const std::string& loss) {
  return loss == "ClassAndBoxLoss";
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
  if (takes_boxes(loss)) return ClassAndBox(graph, name).add(logits, labels);
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
