// SPDX-License-Identifier: Apache-2.0
// From a forward graph to one training step: loss, backward by reverse accumulation (fan-out sums),
// and the optimizer's update. Timing and numerics both run the resulting graph.
#pragma once

#include "workloads/workload.h"

namespace npusim::workloads {

/// Graph outputs: the loss, then the updated weights in the order of the weights.
/// master_copies: weights are kept as master_weight tensors, cast to working weights at the start
/// of the step and updated there. Throws base::InputError naming an op without a gradient.
Graph make_training_step(const Workload& workload, bool master_copies);

}  // namespace npusim::workloads
