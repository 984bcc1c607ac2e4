// SPDX-License-Identifier: Apache-2.0
// Stable topological order of numbered things (Kahn 1962, smallest ready number first): what
// already is in order stays in order.
#pragma once

#include <vector>

namespace npusim::workloads {

struct TopologicalOrder {
  std::vector<int> order;  ///< all things that can be ordered
  std::vector<int> cycle;  ///< the things of one cycle, each needing the one after it; empty: none
};

/// needs[i]: what must come before thing i (repetitions allowed).
TopologicalOrder topological_order(const std::vector<std::vector<int>>& needs);

}  // namespace npusim::workloads
