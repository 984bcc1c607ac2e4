// SPDX-License-Identifier: Apache-2.0
// The losses that a training step can end in. SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss
// are ONNX's, with integer labels. Of floating labels of the logits' shape, as means over all
// elements: MeanSquaredError (x - t)^2, BinaryCrossEntropyWithLogits softplus(x) - x t, the cross
// entropy of sigmoid(x) with the probability t.
#pragma once

#include <string>
#include <vector>

#include "workloads/graph.h"

namespace npusim::workloads {

const std::vector<std::string>& loss_names();
bool takes_integer_labels(const std::string& loss);

/// Appends a loss; the result is a scalar named "loss".
TensorId add_loss(Graph& graph, const std::string& loss, TensorId logits, TensorId labels);

}  // namespace npusim::workloads
