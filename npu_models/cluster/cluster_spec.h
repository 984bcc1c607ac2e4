// SPDX-License-Identifier: Apache-2.0
// Several NPUs of one kind that train a network together, and what connects them. A link carries
// messages in both directions at once, each at its full rate; a message of n bytes takes
// latency + n / rate from the moment it is sent until it is there (the alpha-beta model: Hockney
// 1994; Thakur, Rabenseifner and Gropp 2005, Int. J. High Performance Computing Applications 19,
// section 3). Not modelled: contention with other traffic of the network, the cycles and the memory
// traffic that a collective costs the devices (additions go at the rate of the link).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/config_file.h"
#include "base/json_value.h"
#include "precision/format.h"
#include "workloads/training/gradient_reduction.h"

namespace npusim::npu {

enum class Parallelism {
  data,    ///< each device has all weights and a batch of its own
  tensor,  ///< each device has a part of the weights of each layer, all have the same batch
};
const char* name_of(Parallelism parallel);

struct Interconnect {
  workloads::ReductionAlgorithm topology = workloads::ReductionAlgorithm::ring;
  double link_gb_per_s = 0.0;  ///< 10^9 bytes a second in one direction
  double latency_us = 0.0;     ///< of a message
};

struct ClusterSpec {
  std::string name, description;
  std::int64_t devices = 2;
  Parallelism parallel = Parallelism::data;
  Interconnect interconnect;
  /// In which sums travel; absent: as the recipe stores what is summed.
  std::optional<precision::Format> reduction_format;
  std::int64_t bucket_bytes = 0;
  /// Gradients travel while the backward pass goes on (data parallel).
  bool overlap = false;
  base::JsonValue resolved;

  workloads::GradientReduction reduction() const;
};

/// Throws base::InputError with every mistake of the file.
ClusterSpec load_cluster(const std::string& path,
                         const std::vector<base::Override>& overrides = {});

}  // namespace npusim::npu
