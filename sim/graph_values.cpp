// SPDX-License-Identifier: Apache-2.0
#include "sim/graph_values.h"

#include <optional>

#include "base/error.h"
#include "precision/rounder.h"
#include "sim/matrix_engines.h"
#include "workloads/evaluate.h"

namespace npusim::sim {
namespace {

using workloads::ElementType;
using workloads::Graph;
using workloads::Node;
using workloads::Tensor;
using workloads::TensorId;
using workloads::TensorInfo;

precision::Arithmetic arithmetic_of(const TensorInfo& info) {
  const precision::Format format =
      info.format.empty() ? precision::fp32() : precision::format_from_name(info.format);
  return {format, precision::Rounding::rne};
}

class Evaluator {
 public:
  Evaluator(const Graph& graph, const precision::ParallelFor& parallel)
      : graph_(graph),
        parallel_(parallel),
        engine_(parallel),
        values_(graph.tensors.size()),
        readers_left_(workloads::reader_counts(graph)) {}

  std::vector<Tensor> run() {
    for (const Node& node : graph_.nodes) evaluate(node);
    std::vector<Tensor> outputs;
    for (const TensorId id : graph_.outputs) outputs.push_back(value_of(id));
    return outputs;
  }

 private:
  const Tensor& value_of(TensorId id) {
    std::optional<Tensor>& value = values_[static_cast<std::size_t>(id)];
    if (value) return *value;
    const TensorInfo& info = graph_.tensor(id);
    NPUSIM_CHECK(info.initializer.has_value(), "tensor " + info.name + " has no value");
    value = workloads::make_values(*info.initializer, info.shape, info.type, info.name, 0);
    return *value;
  }

  bool touches_double(const Node& node) const {
    for (const auto* ids : {&node.inputs, &node.outputs})
      for (const TensorId id : *ids)
        if (id != workloads::kNoTensor && graph_.tensor(id).format == "fp64") return true;
    return false;
  }

  void evaluate(const Node& node) {
    std::vector<const Tensor*> inputs;
    for (const TensorId id : node.inputs)
      inputs.push_back(id == workloads::kNoTensor ? nullptr : &value_of(id));
    const precision::Rounder internal =
        touches_double(node) ? precision::Rounder()
                             : precision::Rounder({precision::fp32(), precision::Rounding::rne});
    std::vector<Tensor> outputs =
        workloads::evaluate(graph_, node, inputs, engine_, internal, parallel_);
    for (std::size_t i = 0; i < outputs.size(); ++i) store(node.outputs[i], std::move(outputs[i]));
    for (const TensorId id : node.inputs)
      if (id != workloads::kNoTensor && --readers_left_[static_cast<std::size_t>(id)] == 0)
        values_[static_cast<std::size_t>(id)].reset();
  }

  void store(TensorId id, Tensor value) {
    const TensorInfo& info = graph_.tensor(id);
    if (info.type == ElementType::floating)
      precision::round_array(value.values.data(), value.values.data(),
                             static_cast<long>(value.values.size()), arithmetic_of(info));
    values_[static_cast<std::size_t>(id)] = std::move(value);
  }

  const Graph& graph_;
  const precision::ParallelFor& parallel_;
  ReferenceEngine engine_;
  std::vector<std::optional<Tensor>> values_;
  std::vector<int> readers_left_;
};

}  // namespace

std::vector<Tensor> declared_output_values(const Graph& graph,
                                           const precision::ParallelFor& parallel) {
  return Evaluator(graph, parallel).run();
}

}  // namespace npusim::sim
