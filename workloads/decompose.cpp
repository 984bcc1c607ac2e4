// SPDX-License-Identifier: Apache-2.0
#include "workloads/decompose.h"

#include <algorithm>

#include "base/error.h"
#include "workloads/graph_copy.h"
#include "workloads/op.h"

namespace npusim::workloads {
namespace {

/// A graph of its own for one node: first the node itself, for its shapes, then what replaces it.
class Bench final : public DecompositionBuilder {
 public:
  Bench(const Graph& graph, const Node& node) : into_bench_(graph, scratch_) {
    for (const TensorId id : node.inputs)
      if (id != kNoTensor && into_bench_.of(id) == kNoTensor) {
        into_bench_.tensor(id);
        outside_.push_back(id);
      }
    into_bench_.node(node);
    original_ = scratch_.nodes.front();
  }

  NodeView view() const override { return {scratch_, original_}; }

  TensorId add(const std::string& op, const std::string& suffix, std::vector<TensorId> inputs,
               Attributes attributes) override {
    const std::string name = original_.name + "." + suffix;
    const TensorRole role = scratch_.tensor(original_.outputs.front()).role;
    const TensorId result = scratch_
                                .add_node(op, name, std::move(inputs), std::move(attributes),
                                          {name + ".out"}, role, original_.phase)
                                .front();
    scratch_.nodes.back().internal = original_.internal;
    scratch_.tensors[static_cast<std::size_t>(result)].stored =
        scratch_.tensor(original_.outputs.front()).stored;
    return result;
  }

  /// Moves the replacement into `target`; `copy` maps the source graph's tensors there.
  void install(const Node& node, const std::vector<TensorId>& results, GraphCopy& copy,
               Graph& target) const {
    GraphCopy out(scratch_, target);
    for (const TensorId id : outside_) out.set(into_bench_.of(id), copy.of(id));
    for (std::size_t i = 1; i < scratch_.nodes.size(); ++i) out.node(scratch_.nodes[i]);
    NPUSIM_CHECK(results.size() == node.outputs.size(), node.op + " decomposed into other outputs");
    for (std::size_t i = 0; i < results.size(); ++i) {
      const TensorInfo& was = scratch_.tensor(original_.outputs[i]);
      NPUSIM_CHECK(scratch_.tensor(results[i]).shape == was.shape,
                   node.op + " decomposed into another shape");
      const TensorId id = out.of(results[i]);
      if (made(results[i])) {
        target.rename_tensor(id, was.name);
        target.tensors[static_cast<std::size_t>(id)].role = was.role;
        target.tensors[static_cast<std::size_t>(id)].stored = was.stored;
      }
      copy.set(node.outputs[i], id);
    }
  }

 private:
  bool made(TensorId id) const {
    for (std::size_t i = 1; i < scratch_.nodes.size(); ++i) {
      const auto& outputs = scratch_.nodes[i].outputs;
      if (std::find(outputs.begin(), outputs.end(), id) != outputs.end()) return true;
    }
    return false;
  }

  Graph scratch_;
  GraphCopy into_bench_;
  std::vector<TensorId> outside_;  ///< source ids of the node's inputs
  Node original_;
};

}  // namespace

Graph decomposition_of(const Graph& graph, const Node& node) {
  Graph alone;
  alone.name = node.name;
  GraphCopy copy(graph, alone);
  for (const TensorId id : node.inputs)
    if (id != kNoTensor && copy.of(id) == kNoTensor) copy.tensor(id);
  copy.node(node);
  return decompose(alone, [](const Node&) { return true; }).graph;
}

DecomposedGraph rewrite(const Graph& graph, const std::function<Replacement(const Node&)>& rule) {
  DecomposedGraph result;
  Graph& target = result.graph;
  target.name = graph.name;
  GraphCopy copy(graph, target);
  const std::vector<int> writer = writers(graph);
  for (std::size_t i = 0; i < graph.tensors.size(); ++i)
    if (writer[i] < 0) copy.tensor(static_cast<TensorId>(i));
  for (const Node& node : graph.nodes) {
    if (const Replacement replacement = rule(node)) {
      Bench bench(graph, node);
      const std::vector<TensorId> results = replacement(bench);
      bench.install(node, results, copy, target);
    } else {
      copy.node(node);
    }
    result.origin.resize(target.nodes.size(), node.name);
  }
  target.inputs = copy.of(graph.inputs);
  target.outputs = copy.of(graph.outputs);
  return result;
}

Replacement decomposition(const Node& node) {
  const Op& op = ops().at(node.op);
  if (op.decomposes_into().empty()) return {};
  return [&op](DecompositionBuilder& builder) { return op.decompose(builder); };
}

DecomposedGraph decompose(const Graph& graph, const std::function<bool(const Node&)>& should) {
  return rewrite(
      graph, [&](const Node& node) { return should(node) ? decomposition(node) : Replacement{}; });
}

}  // namespace npusim::workloads
