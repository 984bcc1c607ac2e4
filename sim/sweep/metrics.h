// SPDX-License-Identifier: Apache-2.0
// The figures of a design point that constraints and objectives name and that the store keeps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "npu_models/npu_spec.h"
#include "sim/result.h"

namespace npusim::sim {

struct SweepMetric {
  const char* name;  ///< with its unit
  const char* description;
  bool less_is_better;
  bool integral;
  /// What a sweep has to compute for it: "" (nothing), "timing", "numerics" or "what_if"; "area":
  /// what an NPU file has to state.
  const char* needs;
  std::optional<double> (*value)(const RunResult& run, const npu::NpuSpec& npu);
};

/// In the order of the store's columns.
const std::vector<SweepMetric>& sweep_metrics();
/// Index into sweep_metrics(), or nothing.
std::optional<std::size_t> find_metric(const std::string& name);
std::vector<std::string> sweep_metric_names();

/// One value a metric; absent where the run has none.
using MetricValues = std::vector<std::optional<double>>;
MetricValues metrics_of(const RunResult& run, const npu::NpuSpec& npu);

}  // namespace npusim::sim
