// SPDX-License-Identifier: Apache-2.0
// What of a run stands in the NPU's memory: by kind, over time, and how large a parameter of the
// workload (batch, sequence) may be before it does not fit.
#pragma once

#include <string>
#include <vector>

#include "sim/run.h"

namespace npusim::sim {

struct MemoryOptions {
  std::vector<std::string> largest;  ///< parameters of the workload; others stay as they are
  bool over_time = false;            ///< op by op
};

/// Values of a parameter that are tried go up to this.
inline constexpr std::int64_t kLargestParameter = std::int64_t{1} << 24;

/// Coverage and memory of every request, without timing and numerics. A workload that lacks a
/// parameter, or has 0 there, has no limit for it; base::InputError when all of them lack it.
Result memory_all(const std::vector<RunRequest>& requests, const RunOptions& options,
                  const MemoryOptions& memory);

}  // namespace npusim::sim
