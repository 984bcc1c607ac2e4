// SPDX-License-Identifier: Apache-2.0
// Evaluates a graph without any NPU, in the types that it declares (TensorInfo::format; float is
// FP32): products summed in FP64 and rounded once, steps of vector ops in FP32 (FP64 where the op
// touches a double), every tensor rounded when it is stored.
#pragma once

#include <vector>

#include "precision/gemm.h"
#include "workloads/graph.h"
#include "workloads/tensor.h"

namespace npusim::sim {

/// Values of the graph's outputs, in order. Every input needs an initializer; tensors are dropped
/// after their last reader.
std::vector<workloads::Tensor> declared_output_values(const workloads::Graph& graph,
                                                      const precision::ParallelFor& parallel);

}  // namespace npusim::sim
