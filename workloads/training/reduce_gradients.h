// SPDX-License-Identifier: Apache-2.0
// The collectives of a data-parallel training step: gradient_reduction.h says what they mean.
#pragma once

#include <vector>

#include "workloads/training/gradient_reduction.h"
#include "workloads/training/update.h"

namespace npusim::workloads {

/// Appends one AllReduce a bucket; the parameters then have the reduced gradients. gradients: by
/// device in the graph, by parameter; kNoTensor where there is none.
void reduce_gradients(Graph& graph, const GradientReduction& reduction,
                      const precision::Format& format,
                      const std::vector<std::vector<TensorId>>& gradients,
                      std::vector<Parameter>& parameters);

/// Sizes in ready order, cut into buckets of at most `most`, or of one size alone: indices of each.
std::vector<std::vector<std::size_t>> buckets_of(const std::vector<std::int64_t>& sizes,
                                                 std::int64_t most);

}  // namespace npusim::workloads
