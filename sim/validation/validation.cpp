// SPDX-License-Identifier: Apache-2.0
#include "sim/validation/validation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/validation/reference_file.h"

namespace npusim::sim {
namespace {

std::vector<double> absolute_errors(const std::vector<ValidationPoint>& points) {
  std::vector<double> errors;
  for (const ValidationPoint& point : points) errors.push_back(std::fabs(point.error()));
  std::sort(errors.begin(), errors.end());
  return errors;
}

/// Mean ranks where values tie.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    const double rank = static_cast<double>(i + end - 1) / 2.0;
    for (; i < end; ++i) result[order[i]] = rank;
  }
  return result;
}

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
  const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xy = 0.0, xx = 0.0, yy = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean_x) * (y[i] - mean_y);
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
  }
  return xy / std::sqrt(xx * yy);
}

}  // namespace

double ValidationSet::median_error() const {
  const std::vector<double> errors = absolute_errors(points);
  const std::size_t half = errors.size() / 2;
  return errors.size() % 2 != 0 ? errors[half] : (errors[half - 1] + errors[half]) / 2.0;
}

double ValidationSet::mean_error() const {
  const std::vector<double> errors = absolute_errors(points);
  return std::accumulate(errors.begin(), errors.end(), 0.0) / static_cast<double>(errors.size());
}

double ValidationSet::largest_error() const {
  return absolute_errors(points).back();
}

std::optional<double> ValidationSet::spearman() const {
  if (points.size() < 3) return std::nullopt;
  std::vector<double> published, simulated;
  for (const ValidationPoint& point : points) {
    published.push_back(point.published);
    simulated.push_back(point.simulated);
  }
  return correlation(ranks(published), ranks(simulated));
}

bool ValidationSet::holds() const {
  return std::all_of(limits.begin(), limits.end(),
                     [](const ValidationLimit& limit) { return limit.holds(); });
}

std::vector<ValidationSet> validate_timing(const ValidationOptions& options) {
  std::vector<ValidationSet> sets;
  for (const std::string& file : options.references)
    sets.push_back(reference_figures(file, options.reference_npu, options.jobs));
  if (!sets.empty()) return sets;
  for (ValidationSet& set : tpu_v4_products(options.jobs)) sets.push_back(std::move(set));
  sets.push_back(tpu_v1_matrix(options.jobs));
  sets.push_back(intel_npu4_workloads());
  sets.push_back(nvdla_resnet50_sizes());
  sets.push_back(scalesim_products());
  sets.push_back(onnxim_products());
  return sets;
}

}  // namespace npusim::sim
