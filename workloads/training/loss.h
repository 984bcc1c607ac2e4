// SPDX-License-Identifier: Apache-2.0
// The losses that a training step can end in. SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss
// are ONNX's, with integer labels. Of floating labels of the logits' shape, as means over all
// elements: MeanSquaredError (x - t)^2, BinaryCrossEntropyWithLogits softplus(x) - x t, the cross
// entropy of sigmoid(x) with the probability t. CtcLoss takes log-probabilities (samples, steps,
// classes) and integer sequences (samples, length): ops/ctc_loss.cpp. ClassAndBoxLoss is that of a
// detector of one object a sample (Girshick 2015, Fast R-CNN, arXiv:1504.08083, equations 1 to 3):
// logits (samples, classes + 4), floating labels (samples, 5) of a class and a box; the softmax
// cross entropy of the class plus the smooth L1 distance of the four numbers of the box in units of
// kBoxUnit (Liu et al. 2016, SSD, scale boxes by variances of 0.1 and 0.2 likewise), summed over
// these, both as means over the samples.
#pragma once

#include <string>
#include <vector>

#include "workloads/graph.h"

namespace npusim::workloads {

const std::vector<std::string>& loss_names();
bool takes_integer_labels(const std::string& loss);
/// True where each label is the class of one row of scores.
bool takes_classes(const std::string& loss);
/// True where it is a class and a box.
bool takes_boxes(const std::string& loss);
inline constexpr std::int64_t kBoxNumbers = 4;
inline constexpr double kBoxUnit = 0.2;  ///< of the picture's width or height

/// Appends a loss; the result is a scalar of this name.
TensorId add_loss(Graph& graph, const std::string& loss, TensorId logits, TensorId labels,
                  const std::string& name = "loss");

}  // namespace npusim::workloads
