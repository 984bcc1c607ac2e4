// SPDX-License-Identifier: Apache-2.0
// What a training run needs before its first step: mapped graphs and samples.
#include <algorithm>

#include "npu_models/training_graph.h"
#include "npu_models/winograd_mapping.h"
#include "sim/cluster_graphs.h"
#include "sim/training/batch_feed.h"
#include "sim/training/trainer.h"
#include "workloads/training/apply_recipe.h"
#include "workloads/training/transform.h"

namespace npusim::sim {
namespace {

using workloads::Graph;
using workloads::TensorId;

npu::MappedGraph plain_mapping(Graph graph, const workloads::Recipe& recipe) {
  npu::MappedGraph mapped;
  mapped.storage = workloads::storage_formats(graph, recipe);
  mapped.on_chip.assign(graph.tensors.size(), false);
  mapped.graph = std::move(graph);
  return mapped;
}

/// The loss reads the logits, so they are an output of the forward pass whatever the file says.
Graph forward_graph(const workloads::Workload& workload, const workloads::Recipe& recipe) {
  Graph graph = workload.graph;
  const TensorId logits = graph.find(workload.training->logits);
  if (std::find(graph.outputs.begin(), graph.outputs.end(), logits) == graph.outputs.end())
    graph.outputs.push_back(logits);
  return workloads::apply_recipe(std::move(graph), recipe);
}

/// With pins that make an evaluation take each convolution as the step does, whose weights change
/// and whose neighbours are others.
npu::NpuSpec with_forms_of(const npu::MappedGraph& step, npu::NpuSpec npu) {
  std::vector<npu::MappingPin>& all = npu.mapping.pins;
  if (npu.mapping.winograd.output_tiles.empty() &&
      std::none_of(all.begin(), all.end(), [](const auto& pin) { return pin.winograd; }))
    return npu;
  std::vector<npu::MappingPin> pins;
  for (const npu::MappedOp& op : step.ops) {
    const workloads::Node& node = step.graph.nodes[static_cast<std::size_t>(op.node)];
    if (!op.gemm || node.phase != workloads::Phase::forward || !npu::is_convolution(node)) continue;
    const npu::MappingPin* const own = npu::find_pin(npu.mapping, node.name);
    npu::MappingPin pin = own != nullptr ? *own : npu::MappingPin{};
    pin.op = node.name;
    pin.winograd = op.gemm->winograd ? op.gemm->winograd->outputs : 0;
    pins.push_back(std::move(pin));
  }
  all.insert(all.begin(), pins.begin(), pins.end());
  return npu;
}

TrainMappings map_both(const npu::NpuSpec& npu, const Graph& step, const Graph& forward,
                       const workloads::Recipe& recipe, const npu::MappedGraph* one_device) {
  TrainMappings mappings;
  mappings.step = npu::map_graph(npu, step, recipe, one_device);
  mappings.forward = npu::map_graph(with_forms_of(mappings.step, npu), forward, recipe);
  return mappings;
}

void require_fit(const npu::NpuSpec& npu, const npu::MappedGraph& mapped) {
  try {
    npu::check_fits(npu, mapped);
  } catch (const npu::UnsupportedError& error) {
    throw DoesNotFitError(error.what(), mapped.memory);
  }
}

}  // namespace

TrainMappings map_training(const npu::NpuSpec& npu, const workloads::Workload& workload,
                           const workloads::Recipe& recipe) {
  TrainMappings mappings = map_both(npu, npu::training_graph(npu, workload, recipe).graph,
                                    forward_graph(workload, recipe), recipe, nullptr);
  require_fit(npu, mappings.step);
  require_fit(npu, mappings.forward);
  return mappings;
}

TrainMappings map_training(const npu::NpuSpec& npu, const npu::ClusterSpec& cluster,
                           const workloads::Workload& all_devices, const workloads::Recipe& recipe,
                           const npu::MappedGraph& one_device) {
  Graph step = npu::training_graph(npu, all_devices, recipe, &one_device).graph;
  Graph forward = forward_graph(all_devices, recipe);
  for (Graph* graph : {&step, &forward}) set_reduction_formats(*graph, cluster, recipe);
  return map_both(npu, step, forward, recipe, &one_device);
}

TrainMappings map_training(const workloads::Workload& workload, const workloads::Recipe& recipe) {
  return {plain_mapping(workloads::make_training_step(workload, recipe), recipe),
          plain_mapping(forward_graph(workload, recipe), recipe)};
}

TrainData open_data(const workloads::Workload& workload, const TrainOptions& options) {
  TrainData data;
  workloads::DatasetRequest request;
  request.source = options.data;
  request.sample = sample_shape(workload);
  request.seed = options.seed;
  request.samples = options.train_samples;
  request.held_out = options.test_samples;
  data.train = workloads::make_dataset(request);
  request.split = workloads::Split::test;
  request.samples = options.test_samples;
  data.test = workloads::make_dataset(request);
  if (data.train->size() < workload.samples_per_step() || data.test->size() < workload.batch)
    throw base::InputError("data " + options.data + " has fewer samples than one batch of " +
                               std::to_string(workload.samples_per_step()),
                           "out-of-range");
  return data;
}

}  // namespace npusim::sim
