// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/recompute.h"

#include <algorithm>

#include "workloads/graph_copy.h"

namespace npusim::workloads {
namespace {

class Recomputation {
 public:
  Recomputation(const Graph& step, std::int64_t segments)
      : step_(step),
        writers_(writers(step)),
        segment_(step.nodes.size(), 0),
        dropped_(step.tensors.size(), false),
        copy_(step, result_),
        again_(step, result_, kAgain) {
    result_.name = step.name;
    cut(segments);
    find_dropped();
  }

  Graph run() {
    for (std::size_t i = 0; i < step_.tensors.size(); ++i)
      if (writers_[i] < 0) copy_.tensor(static_cast<TensorId>(i));
    for (const Node& node : step_.nodes) {
      if (node.phase != Phase::forward)
        for (const TensorId id : node.inputs) restore(id);
      copy_.node(node);
    }
    result_.inputs = copy_.of(step_.inputs);
    result_.outputs = copy_.of(step_.outputs);
    return std::move(result_);
  }

 private:
  /// Of a tensor or a node.
  static std::size_t at(std::int32_t id) { return static_cast<std::size_t>(id); }

  std::int64_t elements_of(const Node& node) const {
    std::int64_t elements = 0;
    for (const TensorId id : node.outputs)
      if (id != kNoTensor && step_.tensor(id).role == TensorRole::activation)
        elements += element_count(step_.tensor(id).shape);
    return elements;
  }

  /// Numbers the segments through all runs of forward nodes; 0: nothing of it is dropped.
  void cut(std::int64_t segments) {
    std::int64_t first = 1;
    for (std::size_t begin = 0; begin < step_.nodes.size();) {
      std::size_t end = begin;
      std::int64_t all = 0;
      for (; end < step_.nodes.size() && step_.nodes[end].phase == Phase::forward; ++end)
        all += elements_of(step_.nodes[end]);
      std::int64_t before = 0;
      for (std::size_t i = begin; i < end; ++i) {
        const std::int64_t segment =
            all > 0 ? std::min(segments - 1, before / std::max<std::int64_t>(1, all / segments))
                    : segments - 1;
        segment_[i] = segment + 1 < segments ? first + segment : 0;
        before += elements_of(step_.nodes[i]);
      }
      first += segments;
      begin = std::max(end, begin + 1);
    }
  }

  /// Activations that only their own segment and the backward pass read.
  void find_dropped() {
    for (std::size_t i = 0; i < step_.tensors.size(); ++i)
      dropped_[i] = writers_[i] >= 0 && step_.tensors[i].role == TensorRole::activation &&
                    step_.nodes[at(writers_[i])].phase == Phase::forward &&
                    segment_[at(writers_[i])] > 0;
    for (std::size_t i = 0; i < step_.nodes.size(); ++i) {
      if (step_.nodes[i].phase != Phase::forward) continue;
      for (const TensorId id : step_.nodes[i].inputs)
        if (id != kNoTensor && dropped_[at(id)] && segment_[at(writers_[at(id)])] != segment_[i])
          dropped_[at(id)] = false;
    }
    for (const TensorId id : step_.outputs) dropped_[at(id)] = false;
  }

  /// From now on readers get the tensor as it is computed again.
  void restore(TensorId id) {
    if (id == kNoTensor || !dropped_[at(id)]) return;
    const Node& node = step_.nodes[at(writers_[at(id)])];
    for (const TensorId input : node.inputs) restore(input);
    for (const TensorId input : node.inputs)
      if (input != kNoTensor) again_.set(input, copy_.of(input));
    Node repeated = node;
    repeated.phase = Phase::backward;
    again_.node(repeated);
    for (const TensorId output : node.outputs) {
      if (output == kNoTensor || !dropped_[at(output)]) continue;
      dropped_[at(output)] = false;
      copy_.set(output, again_.of(output));
    }
  }

  const Graph& step_;
  const std::vector<int> writers_;
  std::vector<std::int64_t> segment_;  ///< by node
  std::vector<bool> dropped_;          ///< by tensor: not there when the backward pass begins
  Graph result_;
  GraphCopy copy_, again_;
};

}  // namespace

Graph recompute_activations(const Graph& step, std::int64_t segments) {
  return Recomputation(step, segments).run();
}

}  // namespace npusim::workloads
