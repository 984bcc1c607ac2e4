// SPDX-License-Identifier: Apache-2.0
#include "graphs.h"

namespace npusim::npu::testing {

using workloads::TensorId;
using workloads::TensorRole;

TensorId GraphBuilder::input(const std::string& name, workloads::Shape shape, TensorRole role) {
  workloads::TensorInfo info;
  info.name = name;
  info.shape = std::move(shape);
  info.role = role;
  if (role == TensorRole::label) info.type = workloads::ElementType::int64;
  const TensorId id = graph_.add_tensor(std::move(info));
  if (role == TensorRole::input || role == TensorRole::label) graph_.inputs.push_back(id);
  return id;
}

TensorId GraphBuilder::conv(const std::string& name, TensorId x, std::int64_t outputs,
                            std::int64_t kernel) {
  const std::int64_t channels = graph_.tensor(x).shape[1];
  const TensorId w =
      input(name + ".weight", {outputs, channels, kernel, kernel}, TensorRole::weight);
  const std::int64_t pad = kernel / 2;
  return node("Conv", name, {x, w}, {{"pads", std::vector<std::int64_t>{pad, pad, pad, pad}}});
}

TensorId GraphBuilder::gemm(const std::string& name, TensorId x, std::int64_t outputs) {
  const std::int64_t inputs = graph_.tensor(x).shape[1];
  const TensorId w = input(name + ".weight", {outputs, inputs}, TensorRole::weight);
  const TensorId b = input(name + ".bias", {outputs}, TensorRole::weight);
  return node("Gemm", name, {x, w, b}, {{"transB", std::int64_t{1}}});
}

TensorId GraphBuilder::batch_norm(const std::string& name, TensorId x) {
  const std::int64_t channels = graph_.tensor(x).shape[1];
  std::vector<TensorId> inputs = {x};
  for (const char* part : {".scale", ".bias"})
    inputs.push_back(input(name + part, {channels}, TensorRole::weight));
  for (const char* part : {".mean", ".variance"})
    inputs.push_back(input(name + part, {channels}, TensorRole::statistics));
  return node("BatchNormalization", name, std::move(inputs));
}

TensorId GraphBuilder::node(const std::string& op, const std::string& name,
                            std::vector<TensorId> inputs, workloads::Attributes attributes,
                            TensorRole role, workloads::Phase phase) {
  return graph_
      .add_node(op, name, std::move(inputs), std::move(attributes), {name + ".out"}, role, phase)
      .front();
}

workloads::Graph GraphBuilder::finish(std::vector<TensorId> outputs) {
  graph_.outputs = std::move(outputs);
  return graph_;
}

}  // namespace npusim::npu::testing
