// SPDX-License-Identifier: Apache-2.0
#include "workloads/graph_copy.h"

namespace npusim::workloads {

std::vector<TensorId> GraphCopy::of(const std::vector<TensorId>& source_ids) const {
  std::vector<TensorId> result;
  for (const TensorId id : source_ids) result.push_back(of(id));
  return result;
}

void GraphCopy::tensor(TensorId source_id) {
  TensorInfo copy = source_.tensor(source_id);
  copy.name += suffix_;
  set(source_id, target_.add_tensor(std::move(copy)));
}

void GraphCopy::node(const Node& node) {
  std::vector<std::string> names;
  for (const TensorId id : node.outputs) names.push_back(source_.tensor(id).name + suffix_);
  const std::vector<TensorId> outputs = target_.add_node(
      node.op, node.name + suffix_, of(node.inputs), node.attributes, names, {}, node.phase);
  target_.nodes.back().internal = node.internal;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    TensorInfo& copy = target_.tensors[static_cast<std::size_t>(outputs[i])];
    copy.role = source_.tensor(node.outputs[i]).role;
    copy.stored = source_.tensor(node.outputs[i]).stored;
    set(node.outputs[i], outputs[i]);
  }
}

}  // namespace npusim::workloads
