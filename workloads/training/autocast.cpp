// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/autocast.h"

#include <algorithm>
#include <unordered_map>

#include "workloads/op.h"

namespace npusim::workloads {
namespace {

bool holds(const std::vector<std::string>& list, const std::string& op) {
  return std::find(list.begin(), list.end(), op) != list.end();
}

class Painter {
 public:
  Painter(Graph& graph, const Autocast& autocast) : graph_(graph), autocast_(autocast) {}

  void run() {
    if (autocast_.others == Autocast::Others::inputs)
      by_inputs();
    else
      by_grappler();
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) store(n);
  }

 private:
  std::size_t forward_count() const {
    return static_cast<std::size_t>(
        std::count_if(graph_.nodes.begin(), graph_.nodes.end(),
                      [](const Node& node) { return node.phase == Phase::forward; }));
  }

  /// Tensors that are floating and no constants: what a cast could touch.
  bool counts(TensorId id) const {
    if (id == kNoTensor) return false;
    const TensorInfo& info = graph_.tensor(id);
    return info.type == ElementType::floating && info.role == TensorRole::activation;
  }

  void by_inputs() {
    std::vector<bool> low(graph_.tensors.size(), false);
    for (const Node& node : graph_.nodes) {
      if (node.phase != Phase::forward) continue;
      bool is_low = holds(autocast_.low, node.op);
      if (!is_low && !holds(autocast_.fp32, node.op)) {
        bool any = false, all = true;
        for (const TensorId id : node.inputs) {
          if (id == kNoTensor || graph_.tensor(id).type != ElementType::floating) continue;
          const TensorRole role = graph_.tensor(id).role;
          // FP32 statistics and affine parameters of normalisations do not widen the result.
          if (role == TensorRole::weight || role == TensorRole::statistics) continue;
          any = true;
          all = all && low[static_cast<std::size_t>(id)];
        }
        is_low = any && all;
      }
      low_[node.name] = is_low;
      for (const TensorId id : node.outputs)
        if (counts(id)) low[static_cast<std::size_t>(id)] = is_low;
    }
  }

  void by_grappler() {
    const std::size_t count = forward_count();
    std::vector<bool> low(count), denied(count), before(count), after(count);
    std::vector<int> writer(graph_.tensors.size(), -1);
    const auto allow = [&](std::size_t n) { return holds(autocast_.low, graph_.nodes[n].op); };
    const auto deny = [&](std::size_t n) { return holds(autocast_.fp32, graph_.nodes[n].op); };
    const auto sources = [&](std::size_t n, const auto& body) {
      for (const TensorId id : graph_.nodes[n].inputs)
        if (id != kNoTensor && writer[static_cast<std::size_t>(id)] >= 0)
          body(static_cast<std::size_t>(writer[static_cast<std::size_t>(id)]));
    };
    for (std::size_t n = 0; n < count; ++n)
      for (const TensorId id : graph_.nodes[n].outputs)
        writer[static_cast<std::size_t>(id)] = static_cast<int>(n);
    for (std::size_t n = 0; n < count; ++n) {
      bool from_denied = false, from_allowed = false;
      sources(n, [&](std::size_t s) {
        from_denied = from_denied || denied[s];
        from_allowed = from_allowed || allow(s) || after[s];
      });
      denied[n] = !allow(n) && (deny(n) || from_denied);
      after[n] = !allow(n) && from_allowed && !denied[n];
    }
    for (std::size_t n = count; n-- > 0;)
      sources(n, [&](std::size_t s) {
        if (!denied[s] && (allow(n) || (before[n] && !denied[n]))) before[s] = true;
      });
    for (std::size_t n = 0; n < count; ++n) low[n] = allow(n) || (before[n] && after[n]);
    for (std::size_t n = 0; n < count; ++n) {  // clear ops beside painted ones
      if (low[n] || denied[n] || !holds(autocast_.clear, graph_.nodes[n].op)) continue;
      bool beside = false;
      sources(n, [&](std::size_t s) { beside = beside || low[s]; });
      low[n] = beside;
    }
    for (std::size_t n = 0; n < count; ++n) low_[graph_.nodes[n].name] = low[n];
  }

  /// Of the forward node that a node belongs to; nullptr: of none.
  const bool* format_of(const Node& node) const {
    for (std::string name = node.name;; name.resize(name.rfind('.'))) {
      const auto found = low_.find(name);
      if (found != low_.end()) return &found->second;
      if (name.rfind('.') == std::string::npos) return nullptr;
    }
  }

  void store(std::size_t n) {
    Node& node = graph_.nodes[n];
    if (node.phase == Phase::update) return;
    const bool* low = format_of(node);
    if (low == nullptr) return;
    for (const TensorId id : node.outputs) {
      TensorInfo& info = graph_.tensors[static_cast<std::size_t>(id)];
      const bool value = info.role == TensorRole::activation ||
                         info.role == TensorRole::activation_gradient ||
                         info.role == TensorRole::weight_gradient;
      if (value && info.type == ElementType::floating && !info.stored)
        info.stored = *low ? autocast_.format : precision::fp32();
    }
  }

  Graph& graph_;
  const Autocast& autocast_;
  std::unordered_map<std::string, bool> low_;
};

}  // namespace

void apply_autocast(Graph& graph, const Autocast& autocast) {
  Painter(graph, autocast).run();
}

}  // namespace npusim::workloads
