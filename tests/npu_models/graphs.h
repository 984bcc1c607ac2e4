// SPDX-License-Identifier: Apache-2.0
// Small graphs for mapping tests.
#pragma once

#include <string>
#include <vector>

#include "workloads/graph.h"

namespace npusim::npu::testing {

class GraphBuilder {
 public:
  workloads::TensorId input(const std::string& name, workloads::Shape shape,
                            workloads::TensorRole role = workloads::TensorRole::input);
  /// Weights are named after the node.
  workloads::TensorId conv(const std::string& name, workloads::TensorId x, std::int64_t outputs,
                           std::int64_t kernel);
  workloads::TensorId gemm(const std::string& name, workloads::TensorId x, std::int64_t outputs);
  workloads::TensorId batch_norm(const std::string& name, workloads::TensorId x);
  workloads::TensorId node(const std::string& op, const std::string& name,
                           std::vector<workloads::TensorId> inputs,
                           workloads::Attributes attributes = {},
                           workloads::TensorRole role = workloads::TensorRole::activation,
                           workloads::Phase phase = workloads::Phase::forward);
  workloads::Graph finish(std::vector<workloads::TensorId> outputs);

 private:
  workloads::Graph graph_;
};

}  // namespace npusim::npu::testing
