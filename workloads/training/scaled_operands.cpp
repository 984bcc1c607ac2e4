// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/scaled_operands.h"

#include <algorithm>

#include "workloads/graph_copy.h"
#include "workloads/op.h"

namespace npusim::workloads {
namespace {

class Scaler {
 public:
  Scaler(const Graph& graph, const OperandScaling& scaling)
      : graph_(graph), scaling_(scaling), copy_(graph, result_) {
    trains_ = std::any_of(graph.nodes.begin(), graph.nodes.end(),
                          [](const Node& node) { return node.phase == Phase::backward; });
  }

  Graph run() {
    result_.name = graph_.name;
    const std::vector<int> writer = writers(graph_);
    for (std::size_t i = 0; i < graph_.tensors.size(); ++i)
      if (writer[i] < 0) copy_.tensor(static_cast<TensorId>(i));
    for (const Node& node : graph_.nodes)
      if (!scale(node)) copy_.node(node);
    result_.inputs = copy_.of(graph_.inputs);
    result_.outputs = copy_.of(graph_.outputs);
    result_.outputs.insert(result_.outputs.end(), kept_.begin(), kept_.end());
    return std::move(result_);
  }

 private:
  struct Operand {
    TensorId values = kNoTensor, inverse = kNoTensor;
  };

  TensorRole role_of(TensorId id) const { return graph_.tensor(id).role; }

  bool concerns_weights(const Node& node, const Contraction& contraction) const {
    if (role_of(node.outputs[0]) == TensorRole::weight_gradient) return true;
    for (const int input : {contraction.m_input, contraction.n_input})
      if (role_of(node.inputs[static_cast<std::size_t>(input)]) == TensorRole::weight) return true;
    return false;
  }

  /// False: the node is not a product that takes scaled operands.
  bool scale(const Node& node) {
    const Op& op = ops().at(node.op);
    if (op.op_class() != OpClass::matrix || node.phase == Phase::update) return false;
    const NodeView view(graph_, node);
    const auto contraction = op.contraction(view);
    if (!contraction || !concerns_weights(node, *contraction)) return false;
    const bool biased = node.inputs.size() > 2 && node.inputs[2] != kNoTensor;
    if (biased && contraction->bias_input != 2) return false;  // a factor of its own
    phase_ = node.phase;
    std::vector<TensorId> inputs = copy_.of(node.inputs);
    inputs.resize(2);
    TensorId inverse = kNoTensor;
    for (const int input : {contraction->m_input, contraction->n_input}) {
      const Operand operand = quantised(node.inputs[static_cast<std::size_t>(input)]);
      inputs[static_cast<std::size_t>(input)] = operand.values;
      inverse = inverse == kNoTensor
                    ? operand.inverse
                    : add("Mul", node.name + ".descale.factor", {inverse, operand.inverse});
    }
    const TensorInfo& y = graph_.tensor(node.outputs[0]);
    const TensorId sums = add(node.op, node.name, inputs, node.attributes, y.name + ".scaled");
    TensorId result = finish("Mul", node.name + ".descale", {sums, inverse}, y, !biased);
    if (biased) result = finish("Add", node.name + ".bias", {result, bias(node, view)}, y, true);
    copy_.set(node.outputs[0], result);
    return true;
  }

  /// The bias in the shape that broadcasts to the result: (K) of a convolution as (K, 1, ...).
  TensorId bias(const Node& node, const NodeView& view) {
    const TensorId id = copy_.of(node.inputs[2]);
    if (node.op == "Gemm") return id;
    Shape shape(view.output().shape.size() - 1, 1);
    shape[0] = view.output().shape[1];
    const TensorId reshaped = add("ReshapeTo", node.name + ".bias.reshaped", {id},
                                  {{"shape", shape}}, node.name + ".bias.reshaped.out");
    result_.tensors[static_cast<std::size_t>(reshaped)].stored =
        graph_.tensor(node.inputs[2]).stored;
    result_.tensors[static_cast<std::size_t>(reshaped)].role = TensorRole::weight;
    return reshaped;
  }

  /// A node with one FP32 result.
  TensorId add(const std::string& op, const std::string& name, std::vector<TensorId> inputs,
               const Attributes& attributes = {}, const std::string& output = {}) {
    const TensorId id =
        result_
            .add_node(op, name, std::move(inputs), attributes,
                      {output.empty() ? name + ".out" : output}, TensorRole::activation, phase_)
            .front();
    result_.tensors[static_cast<std::size_t>(id)].stored = precision::fp32();
    return id;
  }

  /// The last step of a product has the name, role and format of the original result.
  TensorId finish(const std::string& op, const std::string& name, std::vector<TensorId> inputs,
                  const TensorInfo& y, bool last) {
    const TensorId id = add(op, name, std::move(inputs), {}, last ? y.name : "");
    if (!last) return id;
    result_.tensors[static_cast<std::size_t>(id)].role = y.role;
    result_.tensors[static_cast<std::size_t>(id)].stored = y.stored;
    return id;
  }

  /// One copy a tensor, whoever reads it.
  Operand quantised(TensorId id) {
    const TensorInfo& info = graph_.tensor(id);
    const bool gradient =
        info.role == TensorRole::activation_gradient || info.role == TensorRole::weight_gradient;
    const precision::Format& format = gradient ? scaling_.gradients : scaling_.forward;
    const std::string name = info.name + "." + format.name;
    if (const TensorId known = result_.find(name); known != kNoTensor)
      return {known, result_.find(name + ".inverse.out")};
    const TensorId scale =
        scaling_.kind == OperandScaling::Kind::current
            ? add("AmaxScale", name + ".scale", {copy_.of(id)}, {{"largest", format.max_finite()}})
            : delayed(copy_.of(id), name, format);
    Operand operand;
    operand.values = add("QuantizeByScale", name + ".cast", {copy_.of(id), scale}, {}, name);
    TensorInfo& values = result_.tensors[static_cast<std::size_t>(operand.values)];
    values.stored = format;
    values.role = info.role == TensorRole::weight ? TensorRole::weight : info.role;
    operand.inverse = add("Reciprocal", name + ".inverse", {scale});
    return operand;
  }

  TensorId source(const std::string& name, Shape shape, double value) {
    TensorInfo info;
    info.name = name;
    info.shape = std::move(shape);
    info.role = TensorRole::statistics;
    info.stored = precision::fp32();
    info.initializer = Initializer{};
    info.initializer->value = value;
    return result_.add_tensor(std::move(info));
  }

  TensorId delayed(TensorId values, const std::string& name, const precision::Format& format) {
    const TensorId scale = source(name + ".scale", {}, 1.0);
    if (!trains_) return scale;
    const TensorId history = source(name + ".amax", {scaling_.history}, 0.0);
    const std::vector<TensorId> next = result_.add_node(
        "DelayedScale", name + ".history", {values, history, scale},
        {{"largest", format.max_finite()},
         {"margin", scaling_.margin},
         {"most_recent", std::int64_t{scaling_.most_recent ? 1 : 0}}},
        {name + ".amax.next", name + ".scale.next"}, TensorRole::statistics, phase_);
    for (const TensorId id : next)
      result_.tensors[static_cast<std::size_t>(id)].stored = precision::fp32();
    kept_.insert(kept_.end(), next.begin(), next.end());
    return scale;
  }

  const Graph& graph_;
  const OperandScaling& scaling_;
  Graph result_;
  GraphCopy copy_;
  std::vector<TensorId> kept_;
  Phase phase_ = Phase::forward;
  bool trains_ = false;
};

}  // namespace

Graph scale_operands(const Graph& graph, const OperandScaling& scaling) {
  return Scaler(graph, scaling).run();
}

}  // namespace npusim::workloads
