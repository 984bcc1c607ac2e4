// SPDX-License-Identifier: Apache-2.0
#include "npu_models/operand_transposes.h"

#include "workloads/op.h"

namespace npusim::npu {
namespace {

using workloads::Graph;
using workloads::Node;
using workloads::TensorId;
using workloads::TensorRole;

std::size_t at(TensorId id) {
  return static_cast<std::size_t>(id);
}

bool flagged(const Node& node, const char* attribute) {
  const auto found = node.attributes.find(attribute);
  return found != node.attributes.end() && std::get<std::int64_t>(found->second) != 0;
}

bool is_matrix_product(const std::string& op) {
  return op == "Gemm" || op == "MatMul" || op == "BlockScaledMatMul" || op == "MatMulInteger" ||
         op == "QLinearMatMul";
}

/// Its first result has the elements of its first input in their order.
bool keeps_order(const Graph& graph, const Node& node) {
  if (node.inputs.empty() || node.inputs.front() == workloads::kNoTensor) return false;
  if (graph.tensor(node.inputs.front()).shape != graph.tensor(node.outputs.front()).shape)
    return false;
  return node.op == "Cast" || node.op == "Identity" || node.op == "QuantizeBlocks" ||
         workloads::ops().at(node.op).op_class() == workloads::OpClass::view;
}

/// By node order, so that the source of what a node reads is known.
std::vector<TensorId> sources_of(const Graph& graph) {
  std::vector<TensorId> sources(graph.tensors.size());
  for (std::size_t i = 0; i < sources.size(); ++i) sources[i] = static_cast<TensorId>(i);
  for (const Node& node : graph.nodes)
    if (keeps_order(graph, node)) sources[at(node.outputs.front())] = sources[at(node.inputs[0])];
  return sources;
}

}  // namespace

struct OperandTransposes::Operand {
  workloads::TensorId tensor;
  bool stationary;
  bool k_is_last;  ///< K runs along the last dimension of the tensor
  bool taken_by_k;
};

OperandTransposes::OperandTransposes(const MacArraySpec& array, const workloads::Graph& graph)
    : taken_(find_organisation(array.organisation)->operand_order(array)),
      graph_(graph),
      source_(sources_of(graph)),
      rows_lie_together_(graph.tensors.size(), true) {
  std::vector<bool> decided(graph.tensors.size(), false);
  for (const Node& node : graph.nodes)
    for (const Operand& operand : operands_of(node)) {
      const TensorId source = source_[at(operand.tensor)];
      const std::size_t index = at(source);
      if (!is_weight(source) || decided[index]) continue;
      decided[index] = true;
      rows_lie_together_[index] = operand.k_is_last == operand.taken_by_k;
    }
}

/// Laid out before the run.
bool OperandTransposes::is_weight(TensorId id) const {
  const workloads::TensorInfo& info = graph_.tensor(id);
  return info.role == TensorRole::weight || info.role == TensorRole::master_weight ||
         (info.role == TensorRole::statistics && info.initializer);
}

/// Those that have two orders.
std::vector<OperandTransposes::Operand> OperandTransposes::operands_of(const Node& node) const {
  if (!is_matrix_product(node.op)) return {};
  const auto contraction = workloads::ops().at(node.op).contraction({graph_, node});
  std::vector<Operand> operands;
  if (!contraction || contraction->k() == 1) return operands;
  const auto input = [&](int i) { return node.inputs[static_cast<std::size_t>(i)]; };
  if (contraction->m > 1)
    operands.push_back(
        {input(contraction->m_input), false, !flagged(node, "transA"), taken_.m_side_by_k});
  if (contraction->n > 1)
    operands.push_back(
        {input(contraction->n_input), true, flagged(node, "transB"), taken_.n_side_by_k});
  return operands;
}

std::vector<TransposedOperand> OperandTransposes::of(
    const Node& node, const std::vector<precision::Arithmetic>& storage) const {
  std::vector<TransposedOperand> transposed;
  for (const Operand& operand : operands_of(node)) {
    const bool by_k = operand.k_is_last == rows_lie_together_[at(source_[at(operand.tensor)])];
    if (by_k == operand.taken_by_k) continue;
    transposed.push_back({operand.stationary, false,
                          workloads::element_count(graph_.tensor(operand.tensor).shape),
                          storage[at(operand.tensor)].format.storage_bytes()});
  }
  return transposed;
}

std::string describe(const std::vector<TransposedOperand>& operands) {
  std::string text;
  for (const TransposedOperand& operand : operands)
    text += std::string(text.empty() ? "" : " ") + (operand.stationary ? "B" : "A");
  return text.empty() ? "-" : text;
}

}  // namespace npusim::npu
