// SPDX-License-Identifier: Apache-2.0
#include "npu_models/organisations/recurrence.h"

#include <algorithm>

#include "npu_models/organisations/organisations.h"

namespace npusim::npu {

std::int64_t Recurrence::whole_steps() const {
  return ceil_div(steps, partial_sums) * partial_sums;
}

std::int64_t Recurrence::pace() const {
  return std::max(outputs, ceil_div(latency, partial_sums));
}

std::int64_t Recurrence::entry() const {
  return (whole_steps() - 1) * pace() + outputs;
}

std::int64_t Recurrence::combination() const {
  if (partial_sums == 1) return 0;
  return latency + (partial_sums - 2) * std::max(outputs, latency) + outputs - 1;
}

}  // namespace npusim::npu
