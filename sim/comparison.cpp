// SPDX-License-Identifier: Apache-2.0
#include "sim/comparison.h"

#include <algorithm>

namespace npusim::sim {
namespace {

constexpr Metric kMetrics[] = {Metric::time, Metric::energy, Metric::error, Metric::memory};

bool same_group(const RunResult& a, const RunResult& b) {
  return a.workload == b.workload && a.mode == b.mode && a.scenario == b.scenario;
}

/// All chosen metrics no worse and one better.
bool dominates(const RunResult& a, const RunResult& b, const std::vector<Metric>& metrics) {
  bool better = false;
  for (const Metric metric : metrics) {
    const std::optional<double> of_a = value_of(a, metric);
    const double of_b = *value_of(b, metric);
    if (!of_a || *of_a > of_b) return false;
    better = better || *of_a < of_b;
  }
  return better;
}

bool has_all(const RunResult& run, const std::vector<Metric>& metrics) {
  return std::all_of(metrics.begin(), metrics.end(),
                     [&](Metric metric) { return value_of(run, metric).has_value(); });
}

std::optional<bool> on_front(const Result& result, const RunResult& run,
                             const std::vector<Metric>& metrics) {
  if (metrics.empty() || !has_all(run, metrics)) return {};
  return std::none_of(result.runs.begin(), result.runs.end(), [&](const RunResult& other) {
    return same_group(other, run) && dominates(other, run, metrics);
  });
}

const RunResult* base_of(const Result& result, const RunResult& run, const std::string& base) {
  const RunResult* found = nullptr;
  for (const RunResult& other : result.runs) {
    if (other.npu != base || !same_group(other, run)) continue;
    if (other.recipe == run.recipe) return &other;
    if (found == nullptr) found = &other;
  }
  return found;
}

bool is_best(const Result& result, const RunResult& run, Metric metric) {
  const std::optional<double> own = value_of(run, metric);
  int values = 0;
  for (const RunResult& other : result.runs) {
    const std::optional<double> value = value_of(other, metric);
    if (!same_group(other, run) || !value) continue;
    ++values;
    if (own && *value < *own) return false;
  }
  return own && values > 1;
}

}  // namespace

const std::vector<std::string>& metric_names() {
  static const std::vector<std::string> names = {"time", "energy", "error", "memory"};
  return names;
}

const char* name_of(Metric metric) {
  return metric_names()[static_cast<std::size_t>(metric)].c_str();
}

std::optional<double> value_of(const RunResult& run, Metric metric) {
  switch (metric) {
    case Metric::time:
      if (run.timing) return run.timing->seconds;
      break;
    case Metric::energy:
      if (run.timing) return run.timing->run.energy.total_mj();
      break;
    case Metric::error:
      return worst_output_error(run);
    case Metric::memory:
      if (run.memory && run.status != Status::unsupported)
        return static_cast<double>(run.memory->footprint.peak_bytes);
      break;
  }
  return {};
}

std::vector<RunComparison> compare_runs(const Result& result, const ComparisonOptions& options) {
  std::vector<RunComparison> all;
  for (const RunResult& run : result.runs) {
    RunComparison one;
    one.pareto = on_front(result, run, options.pareto);
    const RunResult* base = options.base.empty() ? nullptr : base_of(result, run, options.base);
    for (const Metric metric : kMetrics) {
      const auto m = static_cast<std::size_t>(metric);
      one.best[m] = is_best(result, run, metric);
      if (base == nullptr) continue;
      const std::optional<double> own = value_of(run, metric), of_base = value_of(*base, metric);
      if (own && of_base && *of_base != 0.0) one.ratio[m] = *own / *of_base;
    }
    all.push_back(one);
  }
  return all;
}

}  // namespace npusim::sim
