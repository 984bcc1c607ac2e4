// SPDX-License-Identifier: Apache-2.0
// Gradients of operands that were broadcast: summed over the dimensions in which they were smaller.
#pragma once

#include "workloads/ops/simple_op.h"

namespace npusim::workloads {

/// Role of a gradient of the result's shape that will become the input's gradient.
TensorRole broadcast_role(const GradientBuilder& g, int input);

/// Sums a gradient of the result's shape down to the input's shape, and makes it the gradient of
/// that input.
void set_broadcast_gradient(GradientBuilder& g, int input, TensorId gradient);

}  // namespace npusim::workloads
