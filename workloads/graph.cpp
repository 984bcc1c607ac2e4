// SPDX-License-Identifier: Apache-2.0
#include "workloads/graph.h"

#include <fmt/format.h>

#include "base/error.h"
#include "workloads/op.h"
#include "workloads/order.h"

namespace npusim::workloads {

const char* name_of(TensorRole role) {
  switch (role) {
    case TensorRole::input:
      return "input";
    case TensorRole::label:
      return "label";
    case TensorRole::weight:
      return "weight";
    case TensorRole::statistics:
      return "statistics";
    case TensorRole::state:
      return "state";
    case TensorRole::activation:
      return "activation";
    case TensorRole::activation_gradient:
      return "activation_gradient";
    case TensorRole::weight_gradient:
      return "weight_gradient";
    case TensorRole::master_weight:
      return "master_weight";
    case TensorRole::optimizer_state:
      return "optimizer_state";
    case TensorRole::loss:
      return "loss";
  }
  throw base::InternalError("unknown TensorRole");
}

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::forward:
      return "forward";
    case Phase::backward:
      return "backward";
    case Phase::update:
      return "update";
  }
  throw base::InternalError("unknown Phase");
}

const std::string& values_name(const TensorInfo& info) {
  const bool other = info.initializer && !info.initializer->stream.empty();
  return other ? info.initializer->stream : info.name;
}

TensorId Graph::find(const std::string& tensor_name) const {
  const auto found = tensor_ids.find(tensor_name);
  return found == tensor_ids.end() ? kNoTensor : found->second;
}

TensorId Graph::add_tensor(TensorInfo info) {
  element_count(info.shape);
  const auto id = static_cast<TensorId>(tensors.size());
  if (!tensor_ids.emplace(info.name, id).second)
    throw base::InputError("tensor \"" + info.name + "\" exists already", "duplicate-tensor");
  tensors.push_back(std::move(info));
  return id;
}

void Graph::rename_tensor(TensorId id, const std::string& tensor_name) {
  NPUSIM_CHECK(tensor_ids.emplace(tensor_name, id).second, "tensor name is taken: " + tensor_name);
  TensorInfo& info = tensors[static_cast<std::size_t>(id)];
  tensor_ids.erase(info.name);
  info.name = tensor_name;
}

std::int64_t Graph::parameter_count() const {
  const std::vector<int> writer = writers(*this);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorRole role = tensors[i].role;
    const bool parameter = role == TensorRole::weight || role == TensorRole::master_weight;
    if (parameter && writer[i] < 0) count += element_count(tensors[i].shape);
  }
  return count;
}

std::int64_t Graph::mac_count() const {
  std::int64_t count = 0;
  for (const Node& node : nodes)
    if (__builtin_add_overflow(count, ops().at(node.op).macs(NodeView(*this, node)), &count))
      throw base::InputError("graph " + name + " has more than 2^63 MACs", "too-large");
  return count;
}

std::vector<int> writers(const Graph& graph) {
  std::vector<int> result(graph.tensors.size(), -1);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (const TensorId id : graph.nodes[i].outputs)
      result[static_cast<std::size_t>(id)] = static_cast<int>(i);
  return result;
}

std::vector<int> reader_counts(const Graph& graph) {
  std::vector<int> counts(graph.tensors.size(), 0);
  for (const Node& node : graph.nodes)
    for (const TensorId id : node.inputs)
      if (id != kNoTensor) ++counts[static_cast<std::size_t>(id)];
  for (const TensorId id : graph.outputs) ++counts[static_cast<std::size_t>(id)];
  return counts;
}

void sort_topologically(Graph& graph) {
  const std::vector<int> writer = writers(graph);
  std::vector<std::vector<int>> needs(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (const TensorId id : graph.nodes[i].inputs)
      if (id != kNoTensor && writer[static_cast<std::size_t>(id)] >= 0)
        needs[i].push_back(writer[static_cast<std::size_t>(id)]);
  const TopologicalOrder sorted = topological_order(needs);
  if (!sorted.cycle.empty()) {
    std::vector<std::string> names;
    for (const int i : sorted.cycle) names.push_back(graph.nodes[static_cast<std::size_t>(i)].name);
    throw base::InputError(
        fmt::format("the graph is cyclic: {} need each other", fmt::join(names, ", ")),
        "cyclic-graph");
  }
  std::vector<Node> nodes;
  for (const int i : sorted.order)
    nodes.push_back(std::move(graph.nodes[static_cast<std::size_t>(i)]));
  graph.nodes = std::move(nodes);
}

}  // namespace npusim::workloads
