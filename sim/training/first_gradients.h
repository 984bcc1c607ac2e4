// SPDX-License-Identifier: Apache-2.0
// The weight gradients of the first training step as the optimizer reads them: what one machine's
// arithmetic does to them, held against another's. Errors that grow with training do not show.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sim/training/trainer.h"

namespace npusim::sim {

/// By the name of the weight.
using WeightGradients = std::map<std::string, std::vector<double>>;

/// Of a recipe without loss scaling.
WeightGradients first_gradients(const workloads::Workload& workload,
                                const workloads::Recipe& recipe, const TrainMappings& mappings,
                                const TrainData& data, std::uint64_t seed,
                                const precision::ParallelFor& parallel);

/// |gradients - reference| / |reference|, Frobenius norms over all weights; not finite where a
/// gradient is not.
double relative_error(const WeightGradients& gradients, const WeightGradients& reference);

}  // namespace npusim::sim
