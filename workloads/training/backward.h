// SPDX-License-Identifier: Apache-2.0
// Reverse accumulation (Linnainmaa 1970) on the graph: each op adds the nodes of its own gradient;
// what several readers send back to a tensor is summed by Add nodes, in the order the gradients are
// made (last reader first). Nothing is computed that no weight needs.
#pragma once

#include <vector>

#include "workloads/graph.h"

namespace npusim::workloads {

/// Appends the backward nodes of a scalar loss. Returns the gradient of each weight; kNoTensor
/// where the loss does not depend on it. Throws base::InputError naming every op on the way that
/// has no gradient. `seed`: the gradient of the loss, a scalar; kNoTensor: a new one of value 1.
std::vector<TensorId> add_backward(Graph& graph, TensorId loss,
                                   const std::vector<TensorId>& weights, TensorId seed = kNoTensor);

}  // namespace npusim::workloads
