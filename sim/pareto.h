// SPDX-License-Identifier: Apache-2.0
// Pareto fronts: the points that no other beats.
#pragma once

#include <vector>

namespace npusim::sim {

/// One point's values, less being better, all points with as many.
using Objectives = std::vector<double>;

/// Per point: no other is as good in every value and better in one; equal points are on the front
/// together. Values are numbers, not NaN. Sorted first, so that the cost is that of comparing each
/// point with the front, not with all others.
std::vector<bool> pareto_front(const std::vector<Objectives>& points);

}  // namespace npusim::sim
