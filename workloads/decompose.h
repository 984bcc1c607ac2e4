// SPDX-License-Identifier: Apache-2.0
// Rewrites a graph so that ops an NPU lacks are replaced by the ops it has, or by the form in which
// it runs them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "workloads/graph.h"
#include "workloads/op.h"

namespace npusim::workloads {

struct DecomposedGraph {
  Graph graph;
  std::vector<std::string> origin;  ///< per node of `graph`: name of the node it came from
};

/// Adds what replaces a node and returns the tensors that replace its outputs; empty: it stays.
using Replacement = std::function<std::vector<TensorId>(DecompositionBuilder&)>;

/// Replaces every node for which the rule has a replacement (once, not recursively).
DecomposedGraph rewrite(const Graph& graph, const std::function<Replacement(const Node&)>& rule);

/// The op's own; empty: it has none.
Replacement decomposition(const Node& node);

/// Replaces every node for which `should(node)` holds by its op's decomposition (once, not
/// recursively).
DecomposedGraph decompose(const Graph& graph, const std::function<bool(const Node&)>& should);

/// What one node would be replaced by, as a graph of its own that has the node's inputs.
Graph decomposition_of(const Graph& graph, const Node& node);

}  // namespace npusim::workloads
