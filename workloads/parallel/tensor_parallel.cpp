// SPDX-License-Identifier: Apache-2.0
#include "workloads/parallel/tensor_parallel.h"

#include <algorithm>

#include "base/error.h"
#include "workloads/graph_copy.h"
#include "workloads/parallel/pair_finder.h"

namespace npusim::workloads {
namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

std::string suffix(std::int64_t device) {
  return ".device" + std::to_string(device);
}

class Spreader {
 public:
  Spreader(const Graph& graph, const TensorParallel& parallel)
      : source_(graph),
        parallel_(parallel),
        finder_(graph, parallel.devices),
        copy_(graph, graph_) {
    graph_.name = graph.name;
    pairs_ = finder_.run();
    if (pairs_.empty())
      throw base::InputError(
          graph.name + " has no pair of products that " + std::to_string(parallel.devices) +
              " devices can share: a Gemm or MatMul by a weight, element-wise ops or Attention, "
              "and a second product, their width and heads being multiples of that number",
          "illegal-combination");
  }

  Graph run() {
    for (std::size_t p = 0; p < pairs_.size(); ++p) {
      pair_of_[pairs_[p].row] = p;
      for (const auto* part : {&pairs_[p].columns, &pairs_[p].between})
        for (const auto& [node, groups] : *part) pair_of_[node] = p;
    }
    copy_sources();
    for (std::size_t n = 0; n < source_.nodes.size(); ++n) {
      const auto found = pair_of_.find(static_cast<int>(n));
      if (found == pair_of_.end())
        copy_.node(source_.nodes[n]);
      else
        spread(static_cast<int>(n), found->second);
    }
    graph_.inputs = copy_.of(source_.inputs);
    graph_.outputs = copy_.of(source_.outputs);
    return std::move(graph_);
  }

 private:
  using Copies = std::vector<TensorId>;  ///< by device

  std::int64_t shown() const { return parallel_.one_device ? 1 : parallel_.devices; }

  /// All but what is cut.
  void copy_sources() {
    std::vector<bool> is_cut(source_.tensors.size());
    for (const auto& [n, p] : pair_of_) {
      const Node& node = source_.nodes[at(n)];
      if (n == pairs_[p].row) {
        is_cut[at(node.inputs[1])] = true;
        continue;
      }
      const bool column = pairs_[p].columns.count(n) != 0;
      for (std::size_t i = column ? 1 : 0; i < cut_inputs(node); ++i)
        if (node.inputs[i] != kNoTensor) is_cut[at(node.inputs[i])] = true;
    }
    const std::vector<int> writer = writers(source_);
    for (std::size_t i = 0; i < source_.tensors.size(); ++i)
      if (writer[i] < 0 && !is_cut[i]) copy_.tensor(static_cast<TensorId>(i));
  }

  /// The shape of a Reshape is an attribute of its copies.
  static std::size_t cut_inputs(const Node& node) {
    return node.op == "Reshape" ? 1 : node.inputs.size();
  }

  void spread(int n, std::size_t p) {
    const CutPair& pair = pairs_[p];
    const Node& node = source_.nodes[at(n)];
    if (n == pair.row) return spread_row(node);
    const bool column = pair.columns.count(n) != 0;
    const Groups groups = column ? pair.columns.at(n) : pair.between.at(n);
    for (std::int64_t device = 0; device < shown(); ++device) {
      std::vector<TensorId> inputs;
      for (std::size_t i = 0; i < cut_inputs(node); ++i) {
        const TensorId id = node.inputs[i];
        if (id == kNoTensor)
          inputs.push_back(kNoTensor);
        else if (column && i == 0)
          inputs.push_back(whole_on(p, id, device));
        else if (column && i == 1)
          inputs.push_back(weight_part(id, column_axis(node), groups, device));
        else
          inputs.push_back(part_of(id, groups, device));
      }
      add_copy(node, device, std::move(inputs), attributes_of(node));
    }
  }

  /// A part of the sum on each device, then the sum of these, then the bias.
  void spread_row(const Node& node) {
    const bool biased = node.inputs.size() > 2 && node.inputs[2] != kNoTensor;
    const TensorInfo& result = source_.tensor(node.outputs[0]);
    Copies sums;
    for (std::int64_t device = 0; device < shown(); ++device) {
      const std::string name = node.name + suffix(device);
      sums.push_back(add(node.op, name,
                         {parts_.at(node.inputs[0])[at(device)],
                          weight_part(node.inputs[1], 1 - column_axis(node), 1, device)},
                         node.attributes, name + ".partial", result));
    }
    const std::string sum = node.name + ".sum";
    TensorId total =
        add("AllReduce", sum, sums, collective(), biased ? sum + ".out" : result.name, result);
    if (biased)
      total = add("Add", node.name + ".bias", {total, copy_.of(node.inputs[2])}, {}, result.name,
                  result);
    copy_.set(node.outputs[0], total);
  }

  void add_copy(const Node& node, std::int64_t device, std::vector<TensorId> inputs,
                Attributes attributes) {
    std::vector<std::string> names;
    for (const TensorId id : node.outputs)
      names.push_back(source_.tensor(id).name + suffix(device));
    const std::vector<TensorId> outputs =
        graph_.add_node(node.op, node.name + suffix(device), std::move(inputs),
                        std::move(attributes), names, {}, node.phase);
    graph_.nodes.back().internal = node.internal;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const TensorInfo& original = source_.tensor(node.outputs[i]);
      graph_.tensors[at(outputs[i])].role = original.role;
      graph_.tensors[at(outputs[i])].stored = original.stored;
      parts_[node.outputs[i]].push_back(outputs[i]);
    }
  }

  TensorId add(const std::string& op, const std::string& name, std::vector<TensorId> inputs,
               Attributes attributes, const std::string& output, const TensorInfo& like) {
    const TensorId id =
        graph_.add_node(op, name, std::move(inputs), std::move(attributes), {output}, like.role)
            .front();
    graph_.tensors[at(id)].stored = like.stored;
    return id;
  }

  Attributes collective() const {
    return {{"algorithm", std::string(name_of(parallel_.algorithm))}, {"devices", shown()}};
  }

  /// Heads are spread; the last extent of a new shape is.
  Attributes attributes_of(const Node& node) const {
    Attributes attributes = node.attributes;
    for (const char* heads : {"q_num_heads", "kv_num_heads"})
      if (node.op == "Attention")
        attributes[heads] = std::get<std::int64_t>(attributes.at(heads)) / parallel_.devices;
    if (node.op == "Reshape") {
      Shape shape = source_.tensor(node.outputs[0]).shape;
      shape.back() /= parallel_.devices;
      attributes["shape"] = std::move(shape);
    }
    return attributes;
  }

  /// Which dimension of a product's weight counts columns.
  static std::int64_t column_axis(const Node& node) {
    return node.op == "Gemm" && std::get<std::int64_t>(node.attributes.at("transB")) != 0 ? 0 : 1;
  }

  /// What every device reads whole: handed out once a pair, so that gradients are added on the
  /// devices first.
  TensorId whole_on(std::size_t p, TensorId id, std::int64_t device) {
    Copies& copies = handed_out_[{p, id}];
    if (copies.empty()) {
      const TensorInfo& info = source_.tensor(id);
      const std::string name = info.name + ".to_devices" + (p == 0 ? "" : std::to_string(p));
      std::vector<std::string> names;
      for (std::int64_t d = 0; d < shown(); ++d) names.push_back(name + suffix(d));
      copies = graph_.add_node("ToDevices", name, {copy_.of(id)}, collective(), names, {});
      for (const TensorId copy : copies) {
        graph_.tensors[at(copy)].role = info.role;
        graph_.tensors[at(copy)].stored = info.stored;
      }
    }
    return copies[at(device)];
  }

  TensorId part_of(TensorId id, Groups groups, std::int64_t device) {
    const auto found = parts_.find(id);
    return found != parts_.end() ? found->second[at(device)] : weight_part(id, 0, groups, device);
  }

  /// Of one device alone the weight is its part; of all, weights are whole and handed out.
  TensorId weight_part(TensorId id, std::int64_t axis, Groups groups, std::int64_t device) {
    Copies& copies = weights_[id];
    if (!copies.empty()) return copies[at(device)];
    const TensorInfo& whole = source_.tensor(id);
    if (parallel_.one_device) {
      TensorInfo part = whole;
      part.shape[at(axis)] /= parallel_.devices;
      part.known = nullptr;
      copies = {graph_.add_tensor(std::move(part))};
    } else {
      std::vector<std::string> names;
      for (std::int64_t d = 0; d < shown(); ++d) names.push_back(whole.name + suffix(d));
      copy_.tensor(id);
      copies = graph_.add_node("ToParts", whole.name + ".to_parts", {copy_.of(id)},
                               {{"axis", axis}, {"devices", shown()}, {"groups", groups}}, names);
      for (const TensorId copy : copies) {
        graph_.tensors[at(copy)].role = whole.role;
        graph_.tensors[at(copy)].stored = whole.stored;
      }
    }
    return copies[at(device)];
  }

  const Graph& source_;
  const TensorParallel& parallel_;
  PairFinder finder_;
  std::vector<CutPair> pairs_;
  std::map<int, std::size_t> pair_of_;  ///< by node
  Graph graph_;
  GraphCopy copy_;
  std::map<TensorId, Copies> parts_;    ///< of cut results of nodes
  std::map<TensorId, Copies> weights_;  ///< of cut weights
  std::map<std::pair<std::size_t, TensorId>, Copies> handed_out_;
};

void check_optimizer(const Workload& workload) {
  if (!workload.training) return;
  const bool norms = workload.training->optimizer.kind == OptimizerSpec::Kind::lamb ||
                     workload.training->clipping.norm > 0.0;
  if (norms)
    throw base::InputError(workload.name +
                               " trains with norms of whole tensors (LAMB, clip.norm), "
                               "which no device has when weights are spread",
                           "illegal-combination");
}

}  // namespace

Workload spread_over_devices(const Workload& workload, const TensorParallel& parallel) {
  check_optimizer(workload);
  Workload result = workload;
  result.graph = Spreader(workload.graph, parallel).run();
  if (result.training && result.graph.find(result.training->logits) == kNoTensor)
    throw base::InputError(workload.name + ": " + result.training->logits +
                               ", which the loss reads, would be spread over the devices",
                           "illegal-combination");
  return result;
}

std::string plain_name(const std::string& name) {
  std::string plain;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    bool copy = false;
    for (const char* word : {"batch", "device"}) {
      const std::string prefix = word;
      copy = copy || (begin > 0 && part.size() > prefix.size() &&
                      part.compare(0, prefix.size(), prefix) == 0 &&
                      part.find_first_not_of("0123456789", prefix.size()) == std::string::npos);
    }
    if (!copy) plain += (begin > 0 ? "." : "") + part;
    begin = end + 1;
  }
  return plain;
}

}  // namespace npusim::workloads
