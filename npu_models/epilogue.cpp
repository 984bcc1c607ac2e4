// SPDX-License-Identifier: Apache-2.0
#include "npu_models/epilogue.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace npusim::npu {
namespace {

using workloads::Graph;
using workloads::Node;
using workloads::TensorId;

constexpr std::array<std::string_view, 3> kFusible = {"Relu", "BatchNormalization", "Add"};

class Fuser {
 public:
  Fuser(const Graph& graph, const std::vector<Engine>& engines)
      : graph_(graph),
        engines_(engines),
        readers_(workloads::reader_counts(graph)),
        fusion_(no_fusion(graph)),
        runs_at_(graph.nodes.size()),
        writer_(graph.tensors.size(), -1),
        reader_(graph.tensors.size(), -1) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      runs_at_[i] = static_cast<int>(i);
      for (TensorId tensor : graph.nodes[i].outputs)
        if (tensor != workloads::kNoTensor) writer_[index(tensor)] = static_cast<int>(i);
      for (TensorId tensor : graph.nodes[i].inputs)
        if (tensor != workloads::kNoTensor) reader_[index(tensor)] = static_cast<int>(i);
    }
  }

  Fusion run() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      if (engines_[i] == Engine::matrix) extend(static_cast<int>(i));
    return std::move(fusion_);
  }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  const Node& node(int i) const { return graph_.nodes[index(i)]; }

  void extend(int host) {
    TensorId last = node(host).outputs.front();
    for (;;) {
      if (readers_[index(last)] != 1) return;
      const int next = reader_[index(last)];
      if (next < 0 || !may_fuse(host, next, last)) return;
      fusion_.epilogue[index(host)].push_back(next);
      fusion_.fused[index(next)] = true;
      fusion_.on_chip[index(last)] = true;
      runs_at_[index(next)] = host;
      last = node(next).outputs.front();
    }
  }

  bool may_fuse(int host, int next, TensorId through) const {
    const Node& candidate = node(next);
    if (engines_[index(next)] != Engine::vector || node(host).phase != workloads::Phase::forward ||
        candidate.phase != workloads::Phase::forward || candidate.outputs.size() != 1)
      return false;
    if (std::find(kFusible.begin(), kFusible.end(), candidate.op) == kFusible.end()) return false;
    const workloads::Shape& shape = graph_.tensor(through).shape;
    if (graph_.tensor(candidate.outputs.front()).shape != shape) return false;
    if (candidate.op == "BatchNormalization" && candidate.inputs.front() != through) return false;
    for (TensorId operand : candidate.inputs) {
      if (operand == through || operand == workloads::kNoTensor) continue;
      const int writer = writer_[index(operand)];
      if (writer >= 0 && runs_at_[index(writer)] >= host) return false;
      if (candidate.op == "Add" && graph_.tensor(operand).shape != shape) return false;
    }
    return true;
  }

  const Graph& graph_;
  const std::vector<Engine>& engines_;
  const std::vector<int> readers_;
  Fusion fusion_;
  std::vector<int> runs_at_;  ///< node whose place in the execution order a node takes
  std::vector<int> writer_, reader_;
};

}  // namespace

Fusion no_fusion(const Graph& graph) {
  Fusion fusion;
  fusion.epilogue.resize(graph.nodes.size());
  fusion.fused.assign(graph.nodes.size(), false);
  fusion.on_chip.assign(graph.tensors.size(), false);
  return fusion;
}

Fusion fuse_epilogues(const Graph& graph, const std::vector<Engine>& engines) {
  return Fuser(graph, engines).run();
}

}  // namespace npusim::npu
