// SPDX-License-Identifier: Apache-2.0
// A workload on a cluster: as one device runs it (for timing and memory) and with the nodes of all
// devices (for values).
#pragma once

#include "npu_models/cluster/cluster_spec.h"
#include "sim/run.h"
#include "workloads/recipe.h"
#include "workloads/workload.h"

namespace npusim::sim {

/// Throw base::InputError where the cluster cannot share the workload.
workloads::Workload on_one_device(const workloads::Workload& workload,
                                  const npu::ClusterSpec& cluster);
workloads::Workload on_all_devices(const workloads::Workload& workload,
                                   const npu::ClusterSpec& cluster);
/// Data parallelism shares batches of training only.
void check_mode(const npu::ClusterSpec& cluster, Mode mode);

/// Says in which format the collectives of a graph with a recipe applied send and add.
void set_reduction_formats(workloads::Graph& graph, const npu::ClusterSpec& cluster,
                           const workloads::Recipe& recipe);

}  // namespace npusim::sim
