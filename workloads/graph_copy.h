// SPDX-License-Identifier: Apache-2.0
// Copies a graph node by node into another one, for transforms that replace or add some of them.
#pragma once

#include <string>
#include <vector>

#include "workloads/graph.h"

namespace npusim::workloads {

class GraphCopy {
 public:
  /// suffix: behind the names of all that is copied.
  GraphCopy(const Graph& source, Graph& target, std::string suffix = {})
      : source_(source),
        target_(target),
        suffix_(std::move(suffix)),
        ids_(source.tensors.size(), kNoTensor) {}

  /// The copy of a source tensor; kNoTensor stays.
  TensorId of(TensorId source_id) const {
    return source_id == kNoTensor ? kNoTensor : ids_[static_cast<std::size_t>(source_id)];
  }
  void set(TensorId source_id, TensorId target_id) {
    ids_[static_cast<std::size_t>(source_id)] = target_id;
  }
  std::vector<TensorId> of(const std::vector<TensorId>& source_ids) const;

  /// Copies a tensor that no node writes.
  void tensor(TensorId source_id);
  /// Copies a node and its outputs, with their names, roles and phase.
  void node(const Node& node);

 private:
  const Graph& source_;
  Graph& target_;
  std::string suffix_;
  std::vector<TensorId> ids_;
};

}  // namespace npusim::workloads
