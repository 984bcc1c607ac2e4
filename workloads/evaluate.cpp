// SPDX-License-Identifier: Apache-2.0
#include "workloads/evaluate.h"

namespace npusim::workloads {

std::vector<Tensor> evaluate(const Graph& graph, const Node& node,
                             const std::vector<const Tensor*>& inputs, const MatrixEngine& engine,
                             const VectorArithmetic& internal,
                             const precision::ParallelFor& parallel) {
  std::vector<Tensor> outputs;
  for (const TensorId id : node.outputs)
    outputs.emplace_back(graph.tensor(id).shape, graph.tensor(id).type);
  Evaluation evaluation{NodeView(graph, node), inputs, outputs, engine, internal, parallel};
  ops().at(node.op).forward(evaluation);
  return outputs;
}

}  // namespace npusim::workloads
