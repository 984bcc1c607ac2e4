// SPDX-License-Identifier: Apache-2.0
#include "workloads/constants.h"

#include <algorithm>

#include "base/error.h"
#include "precision/rounding.h"
#include "workloads/evaluate.h"
#include "workloads/op.h"

namespace npusim::workloads {
namespace {

/// Known values of one graph together: 64 MB.
constexpr std::int64_t kMostInAll = std::int64_t{1} << 23;
/// Floating tensors beyond this are weights, not parameters of an op: not read from a file.
constexpr std::int64_t kMostFloatsOfFile = 64;

class NoProducts final : public MatrixEngine {
 public:
  void multiply(std::int64_t, const precision::OperandRows&, const precision::OperandRows&,
                const precision::Bias&, precision::GemmOutput&) const override {
    throw base::InternalError("a vector op asked for a product");
  }
};

bool changes(TensorRole role) {
  return role == TensorRole::weight || role == TensorRole::master_weight ||
         role == TensorRole::optimizer_state;
}

bool gives_fixed_values(const TensorInfo& info) {
  if (!info.initializer || element_count(info.shape) > kMostKnownElements) return false;
  switch (info.initializer->kind) {
    case Initializer::Kind::values:
      return true;
    case Initializer::Kind::constant:
      return !changes(info.role);
    case Initializer::Kind::file:
      return info.type != ElementType::floating || element_count(info.shape) <= kMostFloatsOfFile;
    default:
      return false;
  }
}

/// Files are read where a shape needs them, and for integers computed on before they shape
/// anything; not for data and weights.
bool can_be_known(const Graph& graph, TensorId id) {
  if (id == kNoTensor) return true;
  const TensorInfo& info = graph.tensor(id);
  const bool of_file = info.initializer && info.initializer->kind == Initializer::Kind::file;
  const bool data = info.type == ElementType::floating || info.role == TensorRole::input ||
                    info.role == TensorRole::label;
  return info.known || (gives_fixed_values(info) && !(of_file && data));
}

bool foldable(const Graph& graph, const Node& node, const Op& op) {
  // Internal ops stand in graphs whose shapes are settled: nothing asks for their values.
  if (node.phase != Phase::forward || op.op_class() == OpClass::matrix || op.host_only() ||
      op.internal() || op.macs(NodeView(graph, node)) > 0)
    return false;
  std::int64_t elements = graph.known_elements;
  for (const TensorId id : node.outputs) {
    const std::int64_t count = element_count(graph.tensor(id).shape);
    elements += count;
    if (count > kMostKnownElements) return false;
  }
  if (elements > kMostInAll) return false;
  return !op.reads_values() || std::all_of(node.inputs.begin(), node.inputs.end(),
                                           [&](TensorId id) { return can_be_known(graph, id); });
}

/// As ONNX would hold it: floating results rounded to the declared format.
void store(const TensorInfo& info, Tensor& tensor) {
  if (info.type != ElementType::floating || info.format == "fp64") return;
  const precision::Arithmetic arithmetic{
      info.format.empty() ? precision::fp32() : precision::format_from_name(info.format),
      precision::Rounding::rne};
  precision::round_array(tensor.values.data(), tensor.values.data(),
                         static_cast<long>(tensor.values.size()), arithmetic);
}

}  // namespace

void learn_values(Graph& graph, TensorId id) {
  TensorInfo& info = graph.tensors[static_cast<std::size_t>(id)];
  if (info.known || !gives_fixed_values(info)) return;
  info.known = std::make_shared<const Tensor>(
      make_values(*info.initializer, info.shape, info.type, info.name, 0));
}

void fold_constants(Graph& graph, const Node& node) {
  const Op& op = ops().at(node.op);
  if (!foldable(graph, node, op)) return;
  std::vector<const Tensor*> inputs;
  for (const TensorId id : node.inputs) {
    if (id != kNoTensor && op.reads_values()) learn_values(graph, id);
    inputs.push_back(id == kNoTensor ? nullptr : graph.tensor(id).known.get());
  }
  std::vector<Tensor> outputs =
      evaluate(graph, node, inputs, NoProducts{}, {}, precision::serial());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    TensorInfo& info = graph.tensors[static_cast<std::size_t>(node.outputs[i])];
    store(info, outputs[i]);
    graph.known_elements += element_count(info.shape);
    info.known = std::make_shared<const Tensor>(std::move(outputs[i]));
  }
}

}  // namespace npusim::workloads
