// SPDX-License-Identifier: Apache-2.0
// A network with the weights of its layers spread over several devices (tensor parallel), after
// Shoeybi et al. 2019, Megatron-LM (arXiv:1909.08053), section 3. Two products with what stands
// between them are cut together: the first by its columns, so that each device makes its own part
// of the result and works on it alone, the second by its rows (its K), so that each device has a
// partial sum of the whole result; an AllReduce adds these, and the bias of the second comes
// behind. Backward the same happens to the gradient of what the first product reads. An MLP and an
// attention of H heads (heads being spread) thus take one AllReduce each forward and backward.
//
// Between the two may stand element-wise functions, biases, sums and products of two cut tensors,
// Split and Reshape that keep the last dimension, and Attention without mask or cache. Whatever is
// not part of such a pair is done by every device alike, and stands in the graph once.
#pragma once

#include <cstdint>

#include "workloads/training/gradient_reduction.h"
#include "workloads/workload.h"

namespace npusim::workloads {

struct TensorParallel {
  std::int64_t devices = 1;
  ReductionAlgorithm algorithm = ReductionAlgorithm::ring;
  bool one_device = false;  ///< the graph holds the first device's part alone
};

/// Nodes of device d end in ".device<d>". With all devices weights stay whole under their names and
/// every device is handed its part; with one, a weight is the part of the first device. Throws
/// base::InputError when no pair of products can be cut so, or the optimizer needs whole tensors
/// (LAMB, clipping by norm).
Workload spread_over_devices(const Workload& workload, const TensorParallel& parallel);

/// The part of a name that the copies of a node for other batches and devices share.
std::string plain_name(const std::string& name);

}  // namespace npusim::workloads
