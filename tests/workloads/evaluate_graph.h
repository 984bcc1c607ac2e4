// SPDX-License-Identifier: Apache-2.0
// Evaluates a graph in FP64 with a matrix engine of three plain loops.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "workloads/op.h"

namespace npusim::workloads::testing {

/// A row's values; of block-scaled operands elements times scales.
inline void read_values(const precision::OperandRows& rows, std::int64_t row,
                        std::vector<double>& values) {
  rows.read(row, values.data());
  if (!rows.has_scales()) return;
  std::vector<double> scales(values.size());
  rows.read_scales(row, scales.data());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= scales[i];
}

class NaiveEngine final : public MatrixEngine {
 public:
  void multiply(std::int64_t k, const precision::OperandRows& a, const precision::OperandRows& b,
                const precision::Bias& bias, precision::GemmOutput& out) const override {
    std::vector<double> left(static_cast<std::size_t>(k));
    std::vector<double> right(static_cast<std::size_t>(k));
    for (std::int64_t i = 0; i < a.rows(); ++i) {
      read_values(a, i, left);
      for (std::int64_t j = 0; j < b.rows(); ++j) {
        read_values(b, j, right);
        double sum = 0.0;
        for (std::size_t t = 0; t < left.size(); ++t) sum += left[t] * right[t];
        if (bias.axis == precision::Bias::Axis::by_row) sum += bias.values[i];
        if (bias.axis == precision::Bias::Axis::by_column) sum += bias.values[j];
        out.write(i, j, 1, &sum);
      }
    }
  }
};

/// Values of all tensors, by tensor id.
using Values = std::vector<Tensor>;

inline Values initial_values(const Graph& graph, std::uint64_t seed) {
  Values values(graph.tensors.size());
  for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
    const TensorInfo& info = graph.tensors[i];
    if (info.initializer)
      values[i] = make_values(*info.initializer, info.shape, info.type, info.name, seed);
  }
  return values;
}

inline void evaluate_graph(const Graph& graph, Values& values) {
  const NaiveEngine engine;
  const precision::Rounder exact;
  const precision::ParallelFor serial = [](std::int64_t count,
                                           const std::function<void(std::int64_t)>& body) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
  };
  for (const Node& node : graph.nodes) {
    std::vector<const Tensor*> inputs;
    for (const TensorId id : node.inputs)
      inputs.push_back(id == kNoTensor ? nullptr : &values[static_cast<std::size_t>(id)]);
    std::vector<Tensor> outputs;
    for (const TensorId id : node.outputs)
      outputs.emplace_back(graph.tensor(id).shape, graph.tensor(id).type);
    Evaluation evaluation{NodeView(graph, node), inputs, outputs, engine, exact, serial};
    ops().at(node.op).forward(evaluation);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      values[static_cast<std::size_t>(node.outputs[i])] = std::move(outputs[i]);
  }
}

}  // namespace npusim::workloads::testing
