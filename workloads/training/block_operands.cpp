// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/block_operands.h"

#include <algorithm>

#include "workloads/graph_copy.h"
#include "workloads/op.h"
#include "workloads/ops/block_scales.h"

namespace npusim::workloads {
namespace {

class BlockScaler {
 public:
  BlockScaler(const Graph& graph, const BlockScaling& scaling, const std::set<std::string>& nodes)
      : graph_(graph), scaling_(scaling), nodes_(nodes), copy_(graph, result_) {}

  Graph run() {
    result_.name = graph_.name;
    const std::vector<int> writer = writers(graph_);
    for (std::size_t i = 0; i < graph_.tensors.size(); ++i)
      if (writer[i] < 0) copy_.tensor(static_cast<TensorId>(i));
    for (const Node& node : graph_.nodes) {
      if (nodes_.count(node.name) > 0)
        scale(node);
      else
        copy_.node(node);
    }
    result_.inputs = copy_.of(graph_.inputs);
    result_.outputs = copy_.of(graph_.outputs);
    return std::move(result_);
  }

 private:
  struct Operand {
    TensorId elements = kNoTensor, scales = kNoTensor;
    std::vector<std::int64_t> tile;
  };

  void scale(const Node& node) {
    const NodeView view(graph_, node);
    phase_ = node.phase;
    const std::int64_t trans_a = view.integer("transA"), trans_b = view.integer("transB");
    const Operand a = quantised(node.inputs[0], trans_a != 0);
    const Operand b = quantised(node.inputs[1], trans_b == 0);
    const bool biased = node.inputs.size() > 2 && node.inputs[2] != kNoTensor;
    const TensorInfo& y = graph_.tensor(node.outputs[0]);
    TensorId result =
        add("BlockScaledMatMul", node.name, {a.elements, b.elements, a.scales, b.scales},
            {{"tile_a", a.tile}, {"tile_b", b.tile}, {"transA", trans_a}, {"transB", trans_b}},
            {biased ? y.name + ".product" : y.name})
            .front();
    if (biased)
      result =
          add("Add", node.name + ".bias", {result, copy_.of(node.inputs[2])}, {}, {y.name}).front();
    TensorInfo& made = result_.tensors[static_cast<std::size_t>(result)];
    made.role = y.role;
    made.stored = y.stored;
    copy_.set(node.outputs[0], result);
  }

  /// FP32 unless something else is said.
  std::vector<TensorId> add(const std::string& op, const std::string& name,
                            std::vector<TensorId> inputs, const Attributes& attributes,
                            const std::vector<std::string>& outputs) {
    std::vector<TensorId> ids = result_.add_node(op, name, std::move(inputs), attributes, outputs,
                                                 TensorRole::activation, phase_);
    for (const TensorId id : ids)
      result_.tensors[static_cast<std::size_t>(id)].stored = precision::fp32();
    return ids;
  }

  /// One copy a tensor and direction of K, whoever reads it.
  Operand quantised(TensorId id, bool k_first) {
    const TensorInfo& info = graph_.tensor(id);
    const bool weight = info.role == TensorRole::weight;
    const bool gradient = info.role == TensorRole::activation_gradient;
    const precision::BlockFormat& format = weight     ? scaling_.weights
                                           : gradient ? scaling_.gradients
                                                      : scaling_.activations;
    const std::int64_t across = weight ? scaling_.weight_rows : 1;
    Operand operand;
    operand.tile = k_first ? std::vector<std::int64_t>{format.block, across}
                           : std::vector<std::int64_t>{across, format.block};
    const std::string name = info.name + "." + format.name + "." + std::to_string(operand.tile[0]) +
                             "x" + std::to_string(operand.tile[1]);
    operand.elements = result_.find(name);
    operand.scales = result_.find(name + ".scales");
    if (operand.elements != kNoTensor) return operand;
    const std::vector<TensorId> made =
        add("QuantizeBlocks", name + ".cast", {copy_.of(id)},
            block_attributes(format, operand.tile[0], operand.tile[1]), {name, name + ".scales"});
    operand.elements = made[0];
    operand.scales = made[1];
    TensorInfo& elements = result_.tensors[static_cast<std::size_t>(made[0])];
    elements.stored = format.element;
    elements.role = info.role;
    result_.tensors[static_cast<std::size_t>(made[1])].stored = format.scale;
    return operand;
  }

  const Graph& graph_;
  const BlockScaling& scaling_;
  const std::set<std::string>& nodes_;
  Graph result_;
  GraphCopy copy_;
  Phase phase_ = Phase::forward;
};

}  // namespace

bool is_product_of_weights(const Graph& graph, const Node& node) {
  if (node.op != "Gemm" && node.op != "MatMul") return false;
  const NodeView view(graph, node);
  if (view.input(0).shape.size() < 2 || view.input(1).shape.size() < 2) return false;
  if (node.op == "Gemm" && (view.number("alpha") != 1.0 || view.number("beta") != 1.0))
    return false;
  return view.output().role == TensorRole::weight_gradient ||
         view.input(0).role == TensorRole::weight || view.input(1).role == TensorRole::weight;
}

Graph scale_blocks(const Graph& graph, const BlockScaling& scaling,
                   const std::set<std::string>& nodes) {
  return BlockScaler(graph, scaling, nodes).run();
}

}  // namespace npusim::workloads
