// SPDX-License-Identifier: Apache-2.0
#include "workloads/order.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <queue>

namespace npusim::workloads {
namespace {

/// Walks needs among the unordered things until one comes up again.
std::vector<int> find_cycle(const std::vector<std::vector<int>>& needs,
                            const std::vector<char>& ordered) {
  const auto start = std::find(ordered.begin(), ordered.end(), char{0});
  std::vector<int> path;
  std::vector<int> place(needs.size(), -1);
  int at = static_cast<int>(start - ordered.begin());
  while (place[static_cast<std::size_t>(at)] < 0) {
    place[static_cast<std::size_t>(at)] = static_cast<int>(path.size());
    path.push_back(at);
    const auto& before = needs[static_cast<std::size_t>(at)];
    at = *std::find_if(before.begin(), before.end(),
                       [&](int i) { return !ordered[static_cast<std::size_t>(i)]; });
  }
  path.erase(path.begin(), path.begin() + place[static_cast<std::size_t>(at)]);
  return path;
}

}  // namespace

TopologicalOrder topological_order(const std::vector<std::vector<int>>& needs) {
  const std::size_t count = needs.size();
  std::vector<std::vector<int>> followers(count);
  std::vector<int> missing(count, 0);
  for (std::size_t i = 0; i < count; ++i) {
    missing[i] = static_cast<int>(needs[i].size());
    for (const int before : needs[i])
      followers[static_cast<std::size_t>(before)].push_back(static_cast<int>(i));
  }
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (std::size_t i = 0; i < count; ++i)
    if (missing[i] == 0) ready.push(static_cast<int>(i));
  TopologicalOrder result;
  std::vector<char> ordered(count, 0);
  while (!ready.empty()) {
    const int next = ready.top();
    ready.pop();
    result.order.push_back(next);
    ordered[static_cast<std::size_t>(next)] = 1;
    for (const int follower : followers[static_cast<std::size_t>(next)])
      if (--missing[static_cast<std::size_t>(follower)] == 0) ready.push(follower);
  }
  if (result.order.size() < count) result.cycle = find_cycle(needs, ordered);
  return result;
}

}  // namespace npusim::workloads
