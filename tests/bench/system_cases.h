// SPDX-License-Identifier: Apache-2.0
// Wall time and memory of mapping and timing whole workloads on one core: reading the files and the
// start of the process stand aside. Each run is a process of its own (one SystemC simulation each).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "npu_models/timing.h"

namespace npusim::bench {

struct SystemCase {
  std::string name;
  std::string npu, workload;             ///< names of shipped files
  std::vector<std::string> overrides{};  ///< as for --set
  bool training = false;
  npu::Layers layers = npu::Layers::together;
  double most_ms = 0.0;
  double most_mb = 0.0;     ///< 10^6 bytes, the most that was resident
  double least_rate = 0.0;  ///< transactions a second; of all goals, 0 is none
};

struct SystemSample {
  double map_ms = 0.0, simulate_ms = 0.0;  ///< CPU time
  double resident_mb = 0.0;                ///< most, of the whole process
  std::int64_t transactions = 0, cycles = 0;
};

std::vector<SystemCase> system_cases();
/// The fastest of a few runs.
SystemSample measure(const SystemCase& timed);

/// Prints a line a goal; returns how many are missed.
int check_systems();

}  // namespace npusim::bench
