// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/front.h"

#include <algorithm>

namespace npusim::sim {

bool is_feasible(const Sweep& sweep, const PointOutcome& outcome) {
  if (outcome.status != PointStatus::ok) return false;
  return std::all_of(sweep.constraints.begin(), sweep.constraints.end(),
                     [&](const Constraint& constraint) {
                       const std::optional<double>& value = outcome.metrics[constraint.metric];
                       return value && !(constraint.at_most && *value > *constraint.at_most) &&
                              !(constraint.at_least && *value < *constraint.at_least);
                     });
}

std::optional<Objectives> objectives_of(const Sweep& sweep, const PointOutcome& outcome) {
  if (outcome.status != PointStatus::ok) return {};
  Objectives values;
  for (const std::size_t metric : sweep.objectives) {
    const std::optional<double>& value = outcome.metrics[metric];
    if (!value) return {};
    values.push_back(sweep_metrics()[metric].less_is_better ? *value : -*value);
  }
  return values;
}

std::vector<bool> front_of(const Sweep& sweep, const std::vector<StoredPoint>& points) {
  std::vector<std::size_t> taken;
  std::vector<Objectives> values;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!is_feasible(sweep, points[i].outcome)) continue;
    if (auto own = objectives_of(sweep, points[i].outcome)) {
      taken.push_back(i);
      values.push_back(std::move(*own));
    }
  }
  std::vector<bool> flags(points.size(), false);
  const std::vector<bool> front = pareto_front(values);
  for (std::size_t i = 0; i < taken.size(); ++i) flags[taken[i]] = front[i];
  return flags;
}

}  // namespace npusim::sim
