// SPDX-License-Identifier: Apache-2.0
#include "workloads/parallel/pair_finder.h"

#include <algorithm>

#include "workloads/op.h"

namespace npusim::workloads {
namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// Functions of one element.
bool is_elementwise(const std::string& op) {
  static const std::vector<std::string> kOps = {
      "Celu", "Elu",  "Gelu",    "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Mish",
      "Relu", "Selu", "Sigmoid", "Softplus",    "Softsign",  "Swish",    "Tanh",      "Scale"};
  return std::find(kOps.begin(), kOps.end(), op) != kOps.end();
}

std::int64_t last_extent(const Graph& graph, TensorId id) {
  const Shape& shape = graph.tensor(id).shape;
  return shape.empty() ? 0 : shape.back();
}

}  // namespace

PairFinder::PairFinder(const Graph& graph, std::int64_t devices)
    : graph_(graph),
      devices_(devices),
      writer_(writers(graph)),
      readers_(graph.tensors.size()),
      is_output_(graph.tensors.size()) {
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    for (const TensorId id : graph.nodes[n].inputs)
      if (id != kNoTensor) readers_[at(id)].push_back(static_cast<int>(n));
  for (const TensorId id : graph.outputs) is_output_[at(id)] = true;
}

std::vector<CutPair> PairFinder::run() {
  std::vector<CutPair> pairs;
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    const Node& node = graph_.nodes[n];
    if (taken_.count(static_cast<int>(n)) != 0 || weight_of(node) == kNoTensor) continue;
    CutPair pair;
    pair.row = static_cast<int>(n);
    const TensorId read = node.inputs[0];
    if (!divides(last_extent(graph_, read), 1) || !cut(read, 1, pair) || !is_closed(pair)) continue;
    taken_.insert(pair.row);
    for (const auto* part : {&pair.columns, &pair.between})
      for (const auto& [member, groups] : *part) taken_.insert(member);
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

TensorId PairFinder::weight_of(const Node& node) const {
  if (node.op != "Gemm" && node.op != "MatMul") return kNoTensor;
  const TensorId weight = node.inputs[1];
  const TensorInfo& info = graph_.tensor(weight);
  if (info.role != TensorRole::weight || info.shape.size() != 2 || !info.initializer ||
      writer_[at(weight)] >= 0 || readers_[at(weight)].size() != 1)
    return kNoTensor;
  if (node.op == "Gemm" && (std::get<std::int64_t>(node.attributes.at("transA")) != 0 ||
                            std::get<double>(node.attributes.at("beta")) != 1.0))
    return kNoTensor;
  return weight;
}

bool PairFinder::divides(std::int64_t extent, Groups groups) const {
  return extent > 0 && extent % (groups * devices_) == 0;
}

bool PairFinder::is_vector(TensorId tensor, std::int64_t size) const {
  const TensorInfo& info = graph_.tensor(tensor);
  return writer_[at(tensor)] < 0 && info.initializer && info.shape == Shape{size} &&
         readers_[at(tensor)].size() == 1;
}

/// Everything that makes this tensor, back to products that are cut by columns.
bool PairFinder::cut(TensorId tensor, Groups groups, CutPair& pair) const {
  const int node = writer_[at(tensor)];
  if (node < 0 || taken_.count(node) != 0 || is_output_[at(tensor)] ||
      !divides(last_extent(graph_, tensor), groups))
    return false;
  for (const auto* part : {&pair.columns, &pair.between}) {
    const auto known = part->find(node);
    if (known != part->end()) return known->second == groups;
  }
  return weight_of(graph_.nodes[at(node)]) != kNoTensor ? cut_product(node, groups, pair)
                                                        : cut_between(node, groups, pair);
}

bool PairFinder::cut_product(int index, Groups groups, CutPair& pair) const {
  const Node& node = graph_.nodes[at(index)];
  const bool biased = node.inputs.size() > 2 && node.inputs[2] != kNoTensor;
  if (biased && !is_vector(node.inputs[2], last_extent(graph_, node.outputs[0]))) return false;
  pair.columns[index] = groups;
  return true;
}

bool PairFinder::cut_between(int index, Groups groups, CutPair& pair) const {
  const Node& node = graph_.nodes[at(index)];
  const std::int64_t extent = last_extent(graph_, node.outputs[0]);
  pair.between[index] = groups;
  if (is_elementwise(node.op)) return cut(node.inputs[0], groups, pair);
  if (node.op == "Add" || node.op == "Mul") {
    int cut_operands = 0;
    for (const TensorId id : node.inputs) {
      if (is_vector(id, extent)) continue;
      ++cut_operands;
      if (graph_.tensor(id).shape != graph_.tensor(node.outputs[0]).shape || !cut(id, groups, pair))
        return false;
    }
    return cut_operands > 0;
  }
  if (node.op == "Reshape")
    return last_extent(graph_, node.inputs[0]) == extent && cut(node.inputs[0], groups, pair);
  if (node.op == "Split") {
    const std::int64_t axis = std::get<std::int64_t>(node.attributes.at("axis"));
    const auto rank = static_cast<std::int64_t>(graph_.tensor(node.inputs[0]).shape.size());
    const auto parts = static_cast<std::int64_t>(node.outputs.size());
    if ((axis != -1 && axis != rank - 1) || node.inputs.size() > 1 ||
        !std::get<std::vector<std::int64_t>>(node.attributes.at("split")).empty())
      return false;
    for (const TensorId id : node.outputs)
      if (last_extent(graph_, id) != extent) return false;
    return cut(node.inputs[0], groups * parts, pair);
  }
  if (node.op != "Attention" || groups != 1 || node.outputs.size() != 1) return false;
  for (std::size_t i = 3; i < node.inputs.size(); ++i)
    if (node.inputs[i] != kNoTensor) return false;
  for (const char* heads : {"q_num_heads", "kv_num_heads"}) {
    const std::int64_t count = std::get<std::int64_t>(node.attributes.at(heads));
    if (count == 0 || count % devices_ != 0) return false;
  }
  return cut(node.inputs[0], 1, pair) && cut(node.inputs[1], 1, pair) &&
         cut(node.inputs[2], 1, pair);
}

/// Nobody else reads what is cut.
bool PairFinder::is_closed(const CutPair& pair) const {
  const auto inside = [&](int node) {
    return node == pair.row || pair.between.count(node) != 0 || pair.columns.count(node) != 0;
  };
  for (const auto* part : {&pair.columns, &pair.between})
    for (const auto& [member, groups] : *part)
      for (const TensorId id : graph_.nodes[at(member)].outputs) {
        const std::vector<int>& readers = readers_[at(id)];
        if (is_output_[at(id)] || !std::all_of(readers.begin(), readers.end(), inside))
          return false;
      }
  return !pair.columns.empty();
}

}  // namespace npusim::workloads
