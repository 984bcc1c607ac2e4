// SPDX-License-Identifier: Apache-2.0
// Running statistics of BatchNormalizations whose initializers are calibrated_mean and
// calibrated_variance, from one forward pass in FP32: products are fused FP32 chains in canonical K
// order, steps of vector ops and stored tensors are rounded to FP32.
//
// The rule: nodes run in order on a calibration batch of the graph's own shapes. A graph input that
// is generated draws from the stream "<name>/calibration", so that no run sees the batch it was
// calibrated on. In front of each such normalisation the mean and the (biased) variance of each
// channel of its input, over batch and positions, are summed in FP64 and rounded to FP32; the
// normalisation then runs with them, and so do the nodes behind it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "precision/gemm.h"
#include "workloads/graph.h"
#include "workloads/tensor.h"

namespace npusim::sim {

/// Ends a numeric execution on request of the caller; what was done by then.
struct Interrupted {
  std::string done;
};

using CalibratedValues = std::map<std::string, workloads::Tensor>;  ///< by tensor name

/// True when some tensor waits for a calibration pass.
bool needs_calibration(const workloads::Graph& graph);

/// Empty when nothing is calibrated. Only what the calibrated normalisations depend on is computed.
/// Throws Interrupted before the next node when `interrupted` (may be empty) says so.
CalibratedValues calibrate(const workloads::Graph& graph, std::uint64_t seed,
                           const precision::ParallelFor& parallel,
                           const std::function<bool()>& interrupted = {});

}  // namespace npusim::sim
