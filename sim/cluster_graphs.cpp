// SPDX-License-Identifier: Apache-2.0
#include "sim/cluster_graphs.h"

#include "base/error.h"
#include "workloads/parallel/tensor_parallel.h"
#include "workloads/training/recipe_sections.h"

namespace npusim::sim {
namespace {

workloads::Workload on_devices(const workloads::Workload& workload, const npu::ClusterSpec& cluster,
                               bool one) {
  if (cluster.parallel == npu::Parallelism::tensor) {
    workloads::TensorParallel parallel;
    parallel.devices = cluster.devices;
    parallel.algorithm = cluster.interconnect.topology;
    parallel.one_device = one;
    return workloads::spread_over_devices(workload, parallel);
  }
  workloads::Workload result = workload;
  if (!result.training)
    throw base::InputError("workload " + workload.name + " has no \"training\" section",
                           "not-trainable");
  result.training->reduction = cluster.reduction();
  result.training->reduction->one_device = one;
  return result;
}

}  // namespace

workloads::Workload on_one_device(const workloads::Workload& workload,
                                  const npu::ClusterSpec& cluster) {
  return on_devices(workload, cluster, true);
}

workloads::Workload on_all_devices(const workloads::Workload& workload,
                                   const npu::ClusterSpec& cluster) {
  workloads::Workload result = on_devices(workload, cluster, false);
  result.resolved.set("cluster", cluster.resolved);  // a checkpoint is of this cluster
  return result;
}

void check_mode(const npu::ClusterSpec& cluster, Mode mode) {
  if (cluster.parallel == npu::Parallelism::data && mode == Mode::inference)
    throw base::InputError("cluster " + cluster.name +
                               " is data parallel: in inference its devices share nothing "
                               "(--mode training, or \"parallel\": \"tensor\")",
                           "illegal-combination");
}

void set_reduction_formats(workloads::Graph& graph, const npu::ClusterSpec& cluster,
                           const workloads::Recipe& recipe) {
  if (workloads::operand_scaling_of(recipe))
    throw base::InputError("recipe " + recipe.name +
                               " scales the operands of products by their largest magnitude, "
                               "which several devices would have to agree on",
                           "illegal-combination");
  const std::vector<precision::Arithmetic> storage = workloads::storage_formats(graph, recipe);
  for (workloads::Node& node : graph.nodes) {
    if (node.op != "AllReduce") continue;
    if (cluster.reduction_format)
      node.internal = cluster.reduction_format;
    else if (cluster.parallel == npu::Parallelism::tensor)
      node.internal = storage[static_cast<std::size_t>(node.outputs.front())].format;
  }
}

}  // namespace npusim::sim
