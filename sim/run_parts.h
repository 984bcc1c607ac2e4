// SPDX-License-Identifier: Apache-2.0
// Steps of a run that tests and other commands use on their own.
#pragma once

#include "npu_models/mapping.h"
#include "sim/run.h"
#include "workloads/recipe.h"
#include "workloads/workload.h"

namespace npusim::sim {

/// Figures that follow from cycles, clock and batch. utilization = macs / (cycles * peak MACs a
/// cycle).
Timing derive_timing(npu::TimingResult result, const npu::NpuSpec& npu, std::int64_t batch);

/// --set workload.parameters.NAME=value.
base::Override parameter_override(const std::string& name, std::int64_t value);

/// The recipe a run takes: its own, or else the NPU's default.
std::string recipe_file_of(const RunRequest& request, const npu::NpuSpec& npu);

/// What runs: the forward graph or a training step, with the recipe's formats, as the NPU takes it;
/// attention of a step is whole only where that of `like` is.
workloads::Graph graph_of(const npu::NpuSpec& npu, const workloads::Workload& workload,
                          const workloads::Recipe& recipe, Mode mode,
                          const npu::MappedGraph* like = nullptr);

/// The overrides whose path starts with this kind word.
std::vector<base::Override> overrides_of(const std::vector<base::ParsedOverride>& all,
                                         const std::string& kind);

}  // namespace npusim::sim
