// SPDX-License-Identifier: Apache-2.0
// Which points of a sweep keep its constraints, and which of those no other beats.
#pragma once

#include <vector>

#include "sim/pareto.h"
#include "sim/sweep/store.h"

namespace npusim::sim {

/// Ran, and keeps every constraint.
bool is_feasible(const Sweep& sweep, const PointOutcome& outcome);

/// Less being better: metrics of which more is better change their sign. Absent where a metric is.
std::optional<Objectives> objectives_of(const Sweep& sweep, const PointOutcome& outcome);

/// One flag a point: on the front of the feasible ones.
std::vector<bool> front_of(const Sweep& sweep, const std::vector<StoredPoint>& points);

}  // namespace npusim::sim
