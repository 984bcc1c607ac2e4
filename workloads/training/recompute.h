// SPDX-License-Identifier: Apache-2.0
// Activation recomputation (Chen et al. 2016, Training deep nets with sublinear memory cost): of a
// training step's forward pass only what crosses the borders of its segments is kept; the backward
// pass computes the rest again, where it first needs it. The same ops on the same values: the same
// bits (but for MAC units that round stochastically, which draw by op).
#pragma once

#include <cstdint>

#include "workloads/graph.h"

namespace npusim::workloads {

/// Behind the names of what is computed again.
inline constexpr const char* kAgain = ".again";

/// The same step; a node NAME that runs again is NAME.again, in the backward phase. Each
/// micro-batch's forward pass is cut into `segments` of about the same number of elements; the last
/// one is kept, for its backward pass follows at once.
Graph recompute_activations(const Graph& step, std::int64_t segments);

}  // namespace npusim::workloads
