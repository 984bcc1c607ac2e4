// SPDX-License-Identifier: Apache-2.0
// Rewrites a graph so that ops an NPU lacks are replaced by the ops it has.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "workloads/graph.h"

namespace npusim::workloads {

struct DecomposedGraph {
  Graph graph;
  std::vector<std::string> origin;  ///< per node of `graph`: name of the node it came from
};

/// Replaces every node for which `should(node)` holds by its op's decomposition (once, not
/// recursively).
DecomposedGraph decompose(const Graph& graph, const std::function<bool(const Node&)>& should);

/// What one node would be replaced by, as a graph of its own that has the node's inputs.
Graph decomposition_of(const Graph& graph, const Node& node);

}  // namespace npusim::workloads
