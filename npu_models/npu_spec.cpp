// SPDX-License-Identifier: Apache-2.0
#include "npu_models/npu_spec.h"

#include "base/error.h"

namespace npusim::npu {

std::int64_t AccumulatorSpec::latency(const precision::Format& format) const {
  const auto found = latency_cycles.find(format.name);
  NPUSIM_CHECK(found != latency_cycles.end(), "no latency for accumulator format " + format.name);
  return found->second;
}

}  // namespace npusim::npu
