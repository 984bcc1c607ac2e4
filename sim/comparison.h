// SPDX-License-Identifier: Apache-2.0
// Runs against each other: within a group of one workload and mode, which is best in what, which
// are on the Pareto front, and how each stands to a chosen NPU.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/result.h"

namespace npusim::sim {

/// Less is better in all of them.
enum class Metric { time, energy, error, memory };
const std::vector<std::string>& metric_names();
const char* name_of(Metric metric);
/// Seconds of the makespan, millijoules, worst total relative error of an output, peak bytes;
/// absent where the run has none.
std::optional<double> value_of(const RunResult& run, Metric metric);

struct ComparisonOptions {
  std::string base;  ///< name of an NPU: ratios to its run of the same workload and mode; "" none
  std::vector<Metric> pareto = {Metric::time, Metric::error};
};

struct RunComparison {
  /// No other run of its group is as good in every chosen metric and better in one; absent where a
  /// chosen metric is.
  std::optional<bool> pareto;
  /// Value over the base's, by metric; absent without a base, without a value, or where it is 0/0.
  std::optional<double> ratio[4];
  bool best[4] = {};  ///< of at least two values of its group
};

/// One a run. The base's run has the same recipe where there is such a one, else it is its first.
std::vector<RunComparison> compare_runs(const Result& result, const ComparisonOptions& options);

}  // namespace npusim::sim
