// SPDX-License-Identifier: Apache-2.0
#include "npu_models/cluster/collectives.h"

#include "npu_models/ceil_div.h"

namespace npusim::npu {
namespace {

double message_seconds(const Interconnect& net, std::int64_t bytes) {
  return net.latency_us * 1e-6 + static_cast<double>(bytes) / (net.link_gb_per_s * 1e9);
}

/// Every chunk passes N - 1 links.
CollectiveCost round_the_ring(const Interconnect& net, std::int64_t devices, std::int64_t elements,
                              std::int64_t element_bytes) {
  CollectiveCost cost;
  cost.steps = devices - 1;
  cost.seconds = static_cast<double>(cost.steps) *
                 message_seconds(net, ceil_div(elements, devices) * element_bytes);
  cost.link_bytes = cost.steps * elements * element_bytes;
  return cost;
}

}  // namespace

CollectiveCost reduce_scatter(const Interconnect& net, std::int64_t devices, std::int64_t elements,
                              std::int64_t element_bytes) {
  return round_the_ring(net, devices, elements, element_bytes);
}

CollectiveCost all_gather(const Interconnect& net, std::int64_t devices, std::int64_t elements,
                          std::int64_t element_bytes) {
  return round_the_ring(net, devices, elements, element_bytes);
}

CollectiveCost all_reduce(const Interconnect& net, std::int64_t devices, std::int64_t elements,
                          std::int64_t element_bytes) {
  if (net.topology == workloads::ReductionAlgorithm::ring) {
    const CollectiveCost down = reduce_scatter(net, devices, elements, element_bytes);
    const CollectiveCost up = all_gather(net, devices, elements, element_bytes);
    return {down.seconds + up.seconds, down.steps + up.steps, down.link_bytes + up.link_bytes};
  }
  std::int64_t rounds = 0;
  while ((std::int64_t{1} << rounds) < devices) ++rounds;
  CollectiveCost cost;
  cost.steps = 2 * rounds;
  cost.seconds = static_cast<double>(cost.steps) * message_seconds(net, elements * element_bytes);
  cost.link_bytes = 2 * (devices - 1) * elements * element_bytes;
  return cost;
}

}  // namespace npusim::npu
