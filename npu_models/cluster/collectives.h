// SPDX-License-Identifier: Apache-2.0
// Time of collectives between N devices in closed form, alpha being the latency of a message and
// beta the seconds a byte:
//   ring  reduce-scatter and all-gather, N - 1 steps each: alpha + beta * (largest chunk), chunks
//         being an N-th of the buffer each, the first ones an element longer where that does not
//         divide. All-reduce is one after the other: 2 (N - 1) alpha + 2 (N - 1) / N n beta where
//         N divides the buffer (Patarasu and Yuan 2009, J. Parallel Distrib. Comput. 69, theorem 1:
//         the bytes are the fewest there can be).
//   tree  reduce to the first device and broadcast from it along a binomial tree, each
//         ceil(log2 N) (alpha + n beta) (Thakur, Rabenseifner and Gropp 2005, section 4).
// tests/npu_models/collectives_test.cpp steps every message of both.
#pragma once

#include "npu_models/cluster/cluster_spec.h"

namespace npusim::npu {

struct CollectiveCost {
  double seconds = 0.0;
  std::int64_t steps = 0;       ///< messages that follow on each other
  std::int64_t link_bytes = 0;  ///< over all links
};

/// Of a buffer of so many elements on each of the devices.
CollectiveCost reduce_scatter(const Interconnect& net, std::int64_t devices, std::int64_t elements,
                              std::int64_t element_bytes);
CollectiveCost all_gather(const Interconnect& net, std::int64_t devices, std::int64_t elements,
                          std::int64_t element_bytes);
CollectiveCost all_reduce(const Interconnect& net, std::int64_t devices, std::int64_t elements,
                          std::int64_t element_bytes);

}  // namespace npusim::npu
