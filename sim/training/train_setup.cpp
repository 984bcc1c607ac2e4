// SPDX-License-Identifier: Apache-2.0
// What a training run needs before its first step: mapped graphs and samples.
#include <algorithm>

#include "npu_models/training_graph.h"
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

}  // namespace

TrainMappings map_training(const npu::NpuSpec& npu, const workloads::Workload& workload,
                           const workloads::Recipe& recipe) {
  TrainMappings mappings = {
      npu::map_graph(npu, npu::training_graph(npu, workload, recipe).graph, recipe),
      npu::map_graph(npu, forward_graph(workload, recipe), recipe)};
  npu::check_fits(npu, mappings.step);
  npu::check_fits(npu, mappings.forward);
  return mappings;
}

TrainMappings map_training(const npu::NpuSpec& npu, const npu::ClusterSpec& cluster,
                           const workloads::Workload& all_devices,
                           const workloads::Recipe& recipe) {
  Graph step = npu::training_graph(npu, all_devices, recipe).graph;
  Graph forward = forward_graph(all_devices, recipe);
  for (Graph* graph : {&step, &forward}) set_reduction_formats(*graph, cluster, recipe);
  return {npu::map_graph(npu, step, recipe), npu::map_graph(npu, forward, recipe)};
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
