// SPDX-License-Identifier: Apache-2.0
#include "sim/comparison.h"

#include <algorithm>

#include "sim/pareto.h"

namespace npusim::sim {
namespace {

constexpr Metric kMetrics[] = {Metric::time, Metric::energy, Metric::error, Metric::memory};

bool same_group(const RunResult& a, const RunResult& b) {
  return a.workload == b.workload && a.mode == b.mode && a.scenario == b.scenario;
}

/// The chosen metrics of a run, or nothing where one is absent.
std::optional<Objectives> objectives_of(const RunResult& run, const std::vector<Metric>& metrics) {
  Objectives values;
  for (const Metric metric : metrics) {
    const std::optional<double> value = value_of(run, metric);
    if (!value) return {};
    values.push_back(*value);
  }
  return values;
}

/// One a run, the front taken within each group; absent where a metric is.
std::vector<std::optional<bool>> fronts_of(const Result& result,
                                           const std::vector<Metric>& metrics) {
  std::vector<std::optional<bool>> flags(result.runs.size());
  for (std::size_t first = 0; first < result.runs.size() && !metrics.empty(); ++first) {
    if (flags[first] || !objectives_of(result.runs[first], metrics)) continue;
    std::vector<std::size_t> group;
    std::vector<Objectives> points;
    for (std::size_t i = first; i < result.runs.size(); ++i) {
      if (!same_group(result.runs[i], result.runs[first])) continue;
      if (auto values = objectives_of(result.runs[i], metrics)) {
        group.push_back(i);
        points.push_back(std::move(*values));
      }
    }
    const std::vector<bool> front = pareto_front(points);
    for (std::size_t i = 0; i < group.size(); ++i) flags[group[i]] = front[i];
  }
  return flags;
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
      return step_seconds(run);
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
  const std::vector<std::optional<bool>> fronts = fronts_of(result, options.pareto);
  std::vector<RunComparison> all;
  for (const RunResult& run : result.runs) {
    RunComparison one;
    one.pareto = fronts[all.size()];
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
