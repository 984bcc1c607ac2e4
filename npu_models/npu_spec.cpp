// SPDX-License-Identifier: Apache-2.0
#include "npu_models/npu_spec.h"

#include "base/error.h"
#include "npu_models/organisation.h"

namespace npusim::npu {

std::int64_t AccumulatorSpec::latency(const precision::Format& format) const {
  const auto found = latency_cycles.find(format.name);
  NPUSIM_CHECK(found != latency_cycles.end(), "no latency for accumulator format " + format.name);
  return found->second;
}

double NpuSpec::peak_macs_per_cycle(const precision::Format& input) const {
  const Organisation* organisation = find_organisation(mac_array.organisation);
  NPUSIM_CHECK(organisation != nullptr, "organisation " + mac_array.organisation);
  for (const InputMode& mode : mac_array.inputs) {
    if (mode.format.name != input.name) continue;
    const std::int64_t products =
        organisation->pe_count(mac_array) * mode.macs_per_pe_per_cycle * mac_array.arrays;
    return static_cast<double>(products) /
           static_cast<double>(mode.passes.count() * mode.cycles_per_step);
  }
  return 0.0;
}

}  // namespace npusim::npu
