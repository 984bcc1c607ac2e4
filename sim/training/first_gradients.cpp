// SPDX-License-Identifier: Apache-2.0
#include "sim/training/first_gradients.h"

#include <cmath>

#include "sim/training/batch_feed.h"
#include "sim/training/step_executor.h"
#include "workloads/training/transform.h"

namespace npusim::sim {
namespace {

using workloads::Graph;
using workloads::Node;
using workloads::TensorId;
using workloads::TensorRole;

void load_samples(const workloads::Workload& workload, const Graph& graph,
                  const workloads::Dataset& data, std::uint64_t seed,
                  const precision::ParallelFor& parallel, StepExecutor& executor) {
  const std::vector<std::int64_t> order = workloads::shuffled(data.size(), seed, 0);
  std::int64_t first = 0;
  for (const DataTensors& tensors : step_tensors(workload, graph)) {
    const Batch batch =
        read_batch(data, sample_shape(workload), order, first, workload.batch, parallel);
    executor.load(tensors.input, batch.input);
    executor.load(tensors.label, batch.label);
    first += workload.batch;
  }
}

bool updates_weights(const Graph& graph, const Node& node, TensorId output) {
  const TensorRole role = graph.tensor(output).role;
  return node.phase == workloads::Phase::update &&
         (role == TensorRole::weight || role == TensorRole::master_weight);
}

}  // namespace

WeightGradients first_gradients(const workloads::Workload& workload,
                                const workloads::Recipe& recipe, const TrainMappings& mappings,
                                const TrainData& data, std::uint64_t seed,
                                const precision::ParallelFor& parallel) {
  const Graph& graph = mappings.step.graph;
  StepExecutor executor(mappings.step, recipe.internal, seed, parallel);
  executor.load_initial_values();
  load_samples(workload, graph, *data.train, seed, parallel, executor);
  const auto set = [&](const char* name, double value) {
    const TensorId id = graph.find(name);
    if (id != workloads::kNoTensor) executor.load(id, {value});
  };
  set(workloads::kLearningRate, workload.training->optimizer.learning_rate);
  set(workloads::kUpdateCount, workloads::first_count(workload.training->optimizer));
  std::vector<char> watched(graph.tensors.size(), 0);
  for (const Node& node : graph.nodes)
    for (const TensorId id : node.outputs)
      if (updates_weights(graph, node, id)) watched[static_cast<std::size_t>(id)] = 1;
  WeightGradients gradients;
  executor.run(
      0,
      [&](const Node& node, TensorId, const std::vector<double>&, const workloads::Tensor&) {
        // Sgd(w, g, ...); the others (R, T, w, g, ...).
        const std::size_t weight = node.op == "Sgd" ? 0 : 2;
        std::string name = graph.tensor(node.inputs[weight]).name;
        const std::string suffix = ".master";
        if (name.size() > suffix.size() &&
            name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0)
          name.resize(name.size() - suffix.size());
        gradients[name] = executor.value(node.inputs[weight + 1]).values;
        return true;
      },
      watched);
  return gradients;
}

double relative_error(const WeightGradients& gradients, const WeightGradients& reference) {
  double error = 0.0, size = 0.0;
  for (const auto& [name, expected] : reference) {
    const std::vector<double>& values = gradients.at(name);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      error += (values[i] - expected[i]) * (values[i] - expected[i]);
      size += expected[i] * expected[i];
    }
  }
  return std::sqrt(error / size);
}

}  // namespace npusim::sim
