// SPDX-License-Identifier: Apache-2.0
#include "sim/pareto.h"

#include <algorithm>
#include <numeric>

namespace npusim::sim {
namespace {

bool no_worse(const Objectives& a, const Objectives& b) {
  return std::equal(a.begin(), a.end(), b.begin(), [](double x, double y) { return x <= y; });
}

}  // namespace

std::vector<bool> pareto_front(const std::vector<Objectives>& points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // In lexicographic order nothing is beaten by what comes behind it.
  std::sort(order.begin(), order.end(),
            [&](std::size_t x, std::size_t y) { return points[x] < points[y]; });
  std::vector<bool> on_front(points.size(), false);
  std::vector<std::size_t> front;
  for (const std::size_t candidate : order) {
    const Objectives& own = points[candidate];
    on_front[candidate] = std::none_of(front.begin(), front.end(), [&](std::size_t other) {
      return no_worse(points[other], own) && points[other] != own;
    });
    if (on_front[candidate]) front.push_back(candidate);
  }
  return on_front;
}

}  // namespace npusim::sim
