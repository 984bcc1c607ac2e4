// SPDX-License-Identifier: Apache-2.0
// Training on several devices that hold the same weights and take a share of the batch each (data
// parallel): after the backward pass their gradients are summed by a collective, all-reduce, so
// that every device makes the same update. Gradients travel in buckets: in the order in which the
// backward pass makes them, as many as fit (Li et al. 2020, PyTorch Distributed, VLDB 13:12,
// section 3.2.3). The loss of each device counts for its share of the mean, so sums are means.
//
// Values (ops/collectives.cpp) are summed in the algorithm's order and format. Running statistics
// of normalisations are of each device's own samples; those of the first device are kept, as when
// its buffers are broadcast.
#pragma once

#include <cstdint>
#include <optional>

#include "precision/format.h"

namespace npusim::workloads {

enum class ReductionAlgorithm { ring, tree };
const char* name_of(ReductionAlgorithm algorithm);

struct GradientReduction {
  std::int64_t devices = 1;
  ReductionAlgorithm algorithm = ReductionAlgorithm::ring;
  /// In which sums travel: each device's gradients are cast to it, each addition rounds to it once,
  /// to nearest even. Absent: as the recipe stores weight gradients.
  std::optional<precision::Format> format;
  std::int64_t bucket_bytes = std::int64_t{25} << 20;
  /// The graph holds the first device's share alone: what one device does, for timing and memory.
  bool one_device = false;

  std::int64_t devices_in_graph() const { return one_device ? 1 : devices; }
};

}  // namespace npusim::workloads
