// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/op_program.h"

#include <algorithm>

#include "base/error.h"
#include "npu_models/winograd_steps.h"
#include "workloads/ops/conv_phases.h"

namespace npusim::npu::model {
namespace {

using workloads::kNoTensor;
using workloads::Node;

std::size_t at(TensorId id) {
  return static_cast<std::size_t>(id);
}

void add_unique(std::vector<TensorId>& list, TensorId id) {
  if (std::find(list.begin(), list.end(), id) == list.end()) list.push_back(id);
}

std::vector<const Node*> nodes_of(const MappedGraph& mapped, const MappedOp& op) {
  std::vector<const Node*> nodes{&mapped.graph.nodes[static_cast<std::size_t>(op.node)]};
  for (const int fused : op.epilogue) {
    nodes.push_back(&mapped.graph.nodes[static_cast<std::size_t>(fused)]);
  }
  return nodes;
}

/// Results that go to DRAM.
std::vector<TensorId> stored_outputs(const MappedGraph& mapped,
                                     const std::vector<const Node*>& nodes) {
  std::vector<TensorId> outputs;
  for (const Node* node : nodes) {
    for (const TensorId id : node->outputs) {
      if (id != kNoTensor && !mapped.on_chip[at(id)]) outputs.push_back(id);
    }
  }
  return outputs;
}

/// Inputs of the nodes that no other of them makes; `skip` are positions of the first node's
/// inputs.
std::vector<TensorId> outside_inputs(const std::vector<const Node*>& nodes,
                                     const std::vector<int>& skip) {
  std::vector<TensorId> made, inputs;
  for (const Node* node : nodes) {
    for (std::size_t i = 0; i < node->inputs.size(); ++i) {
      const TensorId id = node->inputs[i];
      const bool skipped = node == nodes.front() &&
                           std::find(skip.begin(), skip.end(), static_cast<int>(i)) != skip.end();
      const bool inside = std::find(made.begin(), made.end(), id) != made.end();
      if (id != kNoTensor && !skipped && !inside) add_unique(inputs, id);
    }
    made.insert(made.end(), node->outputs.begin(), node->outputs.end());
  }
  return inputs;
}

OpProgram matrix_program(const MappedGraph& mapped, const MappedOp& op) {
  NPUSIM_CHECK(op.gemm.has_value(), "a matrix op has a GEMM mapping");
  const workloads::Contraction& c = op.gemm->contraction;
  const std::vector<const Node*> nodes = nodes_of(mapped, op);
  const auto storage_bytes = [&](TensorId id) {
    return static_cast<std::int64_t>(mapped.storage[at(id)].format.storage_bytes());
  };
  OpProgram program;
  program.m_side = nodes.front()->inputs[static_cast<std::size_t>(c.m_input)];
  program.n_side = nodes.front()->inputs[static_cast<std::size_t>(c.n_input)];
  program.outputs = stored_outputs(mapped, nodes);
  program.element_bytes = {storage_bytes(program.m_side), storage_bytes(program.n_side), 0};
  for (const TensorId id : program.outputs) program.element_bytes.output += storage_bytes(id);
  for (const TensorId id : outside_inputs(nodes, {c.m_input, c.n_input})) {
    const bool full = workloads::element_count(mapped.graph.tensor(id).shape) == op.gemm->results();
    (full ? program.tiled_inputs : program.whole_inputs).push_back(id);
  }
  return program;
}

}  // namespace

std::uint64_t aligned(std::int64_t bytes) {
  constexpr std::uint64_t kAlignment = 64;
  return (static_cast<std::uint64_t>(bytes) + kAlignment - 1) / kAlignment * kAlignment;
}

TensorLayout::TensorLayout(const MappedGraph& mapped) {
  for (std::size_t i = 0; i < mapped.graph.tensors.size(); ++i) {
    const std::int64_t bytes =
        mapped.elements(static_cast<TensorId>(i)) * mapped.storage[i].format.storage_bytes();
    bytes_.push_back(bytes);
    address_.push_back(end_);
    root_.push_back(static_cast<TensorId>(i));
    end_ += aligned(bytes);
  }
  for (const MappedOp& op : mapped.ops) {
    const std::int64_t bytes = transformed_weight_bytes(mapped, op);
    if (bytes > 0 && transformed_.emplace(std::pair(weights_of(mapped, op), bytes), end_).second)
      end_ += aligned(bytes);
  }
  for (const MappedOp& op : mapped.ops) {
    if (op.engine != Engine::view) continue;
    const Node& node = mapped.graph.nodes[static_cast<std::size_t>(op.node)];
    if (workloads::joins_phases(node)) continue;  // has an address of its own
    // A view of several tensors (a collective) passes each on; what has another size is a part.
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const TensorId id = node.outputs[i];
      if (id == kNoTensor) continue;
      const TensorId own = i < node.inputs.size() ? node.inputs[i] : kNoTensor;
      const bool passed_on = own != kNoTensor && bytes_[at(own)] == bytes_[at(id)];
      root_[at(id)] = root_[at(passed_on ? own : node.inputs.front())];
    }
  }
}

OpProgram program_of(const MappedGraph& mapped, const MappedOp& op) {
  if (op.engine == Engine::matrix) return matrix_program(mapped, op);
  const std::vector<const Node*> nodes = nodes_of(mapped, op);
  OpProgram program;
  program.tiled_inputs = outside_inputs(nodes, {});
  program.outputs = stored_outputs(mapped, nodes);
  return program;
}

}  // namespace npusim::npu::model
