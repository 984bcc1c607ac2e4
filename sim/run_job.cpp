// SPDX-License-Identifier: Apache-2.0
#include "sim/run_job.h"

#include "base/hash.h"
#include "sim/cluster_graphs.h"
#include "sim/run_parts.h"
#include "workloads/training/apply_recipe.h"
#include "workloads/training/transform.h"

namespace npusim::sim {
namespace {

/// The part of the array-cycles that wait for no host.
double time_on_npu(const npu::TimingResult& timing) {
  const auto all = static_cast<double>(timing.cycles * timing.arrays);
  return all > 0 ? 1.0 - static_cast<double>(timing.stall_cycles.at("host")) / all : 1.0;
}

PinnedMapping pinned_mapping(const npu::MappedGraph& mapped, const std::string& reference) {
  PinnedMapping pinned;
  pinned.reference = reference;
  for (const npu::MappedOp& op : mapped.ops) {
    if (op.mapping_origin == npu::MappingOrigin::reference) ++pinned.ops;
    if (!op.not_pinned.empty())
      pinned.free.emplace_back(mapped.graph.nodes[static_cast<std::size_t>(op.node)].name,
                               op.not_pinned);
  }
  return pinned;
}

std::vector<OpMapping> mappings_of(const npu::MappedGraph& mapped) {
  std::vector<OpMapping> mappings;
  for (const npu::MappedOp& op : mapped.ops) {
    const std::string& node = mapped.graph.nodes[static_cast<std::size_t>(op.node)].name;
    if (op.gemm)
      mappings.push_back(
          {node, npu::describe_mapping(*op.gemm), base::fnv1a(npu::describe_plan(*op.gemm))});
    if (op.attention)
      mappings.push_back({node, npu::describe_mapping(*op.attention),
                          base::fnv1a(npu::describe_plan(*op.attention))});
    if (op.attention_gradient)
      mappings.push_back({node, npu::describe_mapping(*op.attention_gradient),
                          base::fnv1a(npu::describe_plan(*op.attention_gradient))});
  }
  return mappings;
}

void make_graph_of_device(Job& job) {
  std::optional<workloads::Workload> one_device;
  if (job.cluster != nullptr) one_device = on_one_device(*job.workload, *job.cluster);
  const workloads::Workload& workload = one_device ? *one_device : *job.workload;
  if (job.mode == Mode::inference) {
    job.graph = workloads::apply_recipe(workload.graph, *job.recipe);
  } else {
    npu::TrainingGraph step = npu::training_graph(*job.npu, workload, *job.recipe, job.like);
    job.graph = std::move(step.graph);
    job.in_parts = std::move(step.in_parts);
  }
  if (job.cluster != nullptr) set_reduction_formats(job.graph, *job.cluster, *job.recipe);
}

}  // namespace

const char* name_of(Mode mode) {
  return mode == Mode::training ? "training" : "inference";
}

void make_graph(Job& job, Mode mode) {
  if (job.cluster != nullptr) check_mode(*job.cluster, mode);
  job.mode = mode;
  make_graph_of_device(job);
}

void make_all_devices(Job& job, Mode mode) {
  if (job.cluster == nullptr) return;
  job.all_devices =
      graph_of(*job.npu, on_all_devices(*job.workload, *job.cluster), *job.recipe, mode, job.like);
  set_reduction_formats(*job.all_devices, *job.cluster, *job.recipe);
}

bool make_graphs_like(Job& job, const Job& reference) {
  if (!reference.mapped || job.mode == Mode::inference) return false;
  job.like = &*reference.mapped;
  make_graph_of_device(job);
  if (job.all_devices) make_all_devices(job, job.mode);
  return true;
}

workloads::Graph graph_of(const npu::NpuSpec& npu, const workloads::Workload& workload,
                          const workloads::Recipe& recipe, Mode mode,
                          const npu::MappedGraph* like) {
  return mode == Mode::inference ? workloads::apply_recipe(workload.graph, recipe)
                                 : npu::training_graph(npu, workload, recipe, like).graph;
}

RunResult describe_run(const RunRequest& request, const Job& job, std::uint64_t seed) {
  RunResult run;
  run.npu = job.npu->name;
  run.workload = job.workload->name;
  run.mode = name_of(request.mode);
  run.recipe = job.recipe->name;
  run.scenario = request.scenario;
  run.seed = seed;
  run.config = base::JsonValue::make_object();
  run.config.set("npu", job.npu->resolved);
  run.config.set("workload", job.workload->resolved);
  run.config.set("recipe", job.recipe->resolved);
  if (job.cluster != nullptr) run.config.set("cluster", job.cluster->resolved);
  run.config_hash =
      base::hex64(base::fnv1a(run.mode, base::fnv1a(base::dump_json(run.config, -1))));
  run.parameters = job.graph.parameter_count();
  run.area = npu::area_of(*job.npu);
  return run;
}

void map_job(Job& job, RunResult& run, const Job* reference) {
  const npu::MappedGraph* const like =
      reference != nullptr && reference->mapped ? &*reference->mapped : nullptr;
  try {
    job.mapped = npu::map_graph(*job.npu, job.graph, *job.recipe, like);
    run.mapping_hash = job.mapped->hash();
    run.mappings = mappings_of(*job.mapped);
    run.attention_in_parts = job.in_parts;
    run.hypothetical = hypothetical_ops(*job.mapped);
    if (like != nullptr) run.pinned = pinned_mapping(*job.mapped, reference->npu->name);
    run.memory = RunMemory{job.mapped->memory, job.npu->dram.capacity_bytes, {}, {}};
    npu::check_fits(*job.npu, *job.mapped);
    if (job.cluster != nullptr && job.cluster->parallel == npu::Parallelism::tensor) {
      const npu::MappedGraph* const single =
          like != nullptr && reference->single ? &*reference->single : nullptr;
      job.single =
          npu::map_graph(*job.npu, graph_of(*job.npu, *job.workload, *job.recipe, job.mode, single),
                         *job.recipe, single);
    }
  } catch (const npu::UnsupportedError& error) {
    job.mapped.reset();
    run.hypothetical.clear();
    run.status = Status::unsupported;
    run.error = error.what();
    if (run.coverage) refuse(*run.coverage, error.what(), job.mode == Mode::training);
  }
}

npu::MappedGraph map_all_devices(const Job& job) {
  return npu::map_graph(*job.npu, *job.all_devices, *job.recipe, &*job.mapped);
}

void set_timing(RunResult& run, const Job& job, npu::TimingResult timing) {
  const bool training = run.mode == name_of(Mode::training);
  run.timing = derive_timing(std::move(timing), *job.npu,
                             training ? job.workload->samples_per_step() : job.workload->batch);
  if (run.coverage) run.coverage->time_on_npu = time_on_npu(run.timing->run);
}

void set_cluster_timing(RunResult& run, const Job& job, const npu::TimingResult* single) {
  if (job.cluster == nullptr || !run.timing) return;
  const bool training = run.mode == name_of(Mode::training);
  const std::int64_t samples = training ? job.workload->samples_per_step() : job.workload->batch;
  const bool data = job.cluster->parallel == npu::Parallelism::data;
  std::optional<SingleDevice> alone;
  if (single != nullptr)
    alone = {static_cast<double>(single->cycles) / (job.npu->clock_mhz * 1e6), samples};
  run.cluster = cluster_timing(*job.cluster, *job.npu, *job.mapped, run.timing->run,
                               data ? samples * job.cluster->devices : samples, alone);
}

Timing derive_timing(npu::TimingResult result, const npu::NpuSpec& npu, std::int64_t batch) {
  Timing timing;
  const auto cycles = static_cast<double>(result.cycles);
  timing.seconds = cycles / (npu.clock_mhz * 1e6);
  timing.samples_per_s = timing.seconds > 0 ? static_cast<double>(batch) / timing.seconds : 0.0;
  timing.utilization =
      cycles > 0 && result.peak_macs_per_cycle > 0
          ? static_cast<double>(result.macs) / (cycles * result.peak_macs_per_cycle)
          : 0.0;
  timing.peak_tops = 2.0 * result.peak_macs_per_cycle * npu.clock_mhz * 1e6 / 1e12;
  timing.achieved_tops =
      timing.seconds > 0 ? 2.0 * static_cast<double>(result.macs) / timing.seconds / 1e12 : 0.0;
  timing.run = std::move(result);
  return timing;
}

}  // namespace npusim::sim
