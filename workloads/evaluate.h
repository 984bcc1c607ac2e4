// SPDX-License-Identifier: Apache-2.0
// One node, forward: tensors for its outputs, and the op run on them.
#pragma once

#include <vector>

#include "workloads/graph.h"
#include "workloads/op.h"
#include "workloads/tensor.h"

namespace npusim::workloads {

/// Values of the node's outputs as the op leaves them, not rounded to storage. `inputs`: nullptr
/// for omitted ones.
std::vector<Tensor> evaluate(const Graph& graph, const Node& node,
                             const std::vector<const Tensor*>& inputs, const MatrixEngine& engine,
                             const VectorArithmetic& internal,
                             const precision::ParallelFor& parallel);

}  // namespace npusim::workloads
