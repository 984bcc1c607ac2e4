// SPDX-License-Identifier: Apache-2.0
// One (NPU, workload, recipe) triple on its way from files to a result: the steps that run_all and
// the workers of a sweep share.
#pragma once

#include <cstdint>
#include <optional>

#include "npu_models/cluster/cluster_spec.h"
#include "npu_models/npu_spec.h"
#include "npu_models/training_graph.h"
#include "sim/run.h"
#include "workloads/recipe.h"
#include "workloads/workload.h"

namespace npusim::sim {

/// A request with its files read and its graph made.
struct Job {
  const npu::NpuSpec* npu = nullptr;
  const workloads::Workload* workload = nullptr;
  const workloads::Recipe* recipe = nullptr;
  const npu::ClusterSpec* cluster = nullptr;  ///< nullptr: one device
  Mode mode = Mode::inference;                ///< of the graph
  /// A training step has attention whole only where this one has it so; nullptr: as its file says.
  const npu::MappedGraph* like = nullptr;
  workloads::Graph graph;                       ///< of one device
  std::vector<npu::AttentionInParts> in_parts;  ///< of a training step
  std::optional<npu::MappedGraph> mapped;
  /// With a cluster: the nodes of all its devices, whose values are computed.
  std::optional<workloads::Graph> all_devices;
  /// Tensor parallel: the whole workload on one device, to compare with.
  std::optional<npu::MappedGraph> single;

  const workloads::Graph& graph_of_values() const { return all_devices ? *all_devices : graph; }
};

/// The inference graph with the recipe's casts, or the training step.
void make_graph(Job& job, Mode mode);
/// The graph of all devices too, where there is a cluster.
void make_all_devices(Job& job, Mode mode);
/// Makes the graphs of a training step again, like those of a job that is mapped and lives longer.
/// False: they stay as they are.
bool make_graphs_like(Job& job, const Job& reference);

/// Names, seed, resolved configs and their hash.
RunResult describe_run(const RunRequest& request, const Job& job, std::uint64_t seed);

/// Fills job.mapped, the mapping's hash and the memory, or says why the run is unsupported (in the
/// coverage too, where there is one). Products take the mapping that `reference` has for them where
/// they can, on one device alone too; the graphs are made like its graphs before.
void map_job(Job& job, RunResult& run, const Job* reference = nullptr);

/// After map_job: the graph of all devices, each mapped as the one that is timed.
npu::MappedGraph map_all_devices(const Job& job);

void set_timing(RunResult& run, const Job& job, npu::TimingResult timing);
/// After set_timing. `single`: of job.single, where there is one.
void set_cluster_timing(RunResult& run, const Job& job, const npu::TimingResult* single);

}  // namespace npusim::sim
