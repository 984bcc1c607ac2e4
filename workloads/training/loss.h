// SPDX-License-Identifier: Apache-2.0
// The losses that a training step can end in. SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss
// are ONNX's, with integer labels. Of floating labels of the logits' shape, as means over all
// elements: MeanSquaredError (x - t)^2, BinaryCrossEntropyWithLogits softplus(x) - x t, the cross
// entropy of sigmoid(x) with the probability t. CtcLoss takes log-probabilities (samples, steps,
// classes) and integer sequences (samples, length): ops/ctc_loss.cpp.
#pragma once

#include <string>
#include <vector>

#include "workloads/graph.h"

namespace npusim::workloads {

const std::vector<std::string>& loss_names();
bool takes_integer_labels(const std::string& loss);
/// True where each label is the class of one row of scores.
bool takes_classes(const std::string& loss);

/// Appends a loss; the result is a scalar of this name.
TensorId add_loss(Graph& graph, const std::string& loss, TensorId logits, TensorId labels,
                  const std::string& name = "loss");

}  // namespace npusim::workloads
