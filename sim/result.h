// SPDX-License-Identifier: Apache-2.0
// What one run of (NPU, workload, recipe) found. One in-memory model; the writers under writers/
// print it. Sections that were not computed are absent. Everything here is deterministic; facts
// about the machine that ran it stand in HostFacts only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json_value.h"
#include "npu_models/area.h"
#include "npu_models/capability.h"
#include "npu_models/mapping.h"
#include "npu_models/memory_footprint.h"
#include "npu_models/timing.h"
#include "npu_models/training_graph.h"
#include "precision/distribution.h"
#include "precision/error_metrics.h"
#include "sim/cluster_timing.h"
#include "sim/coverage.h"
#include "sim/hypothetical.h"
#include "sim/task_metrics.h"

namespace npusim::sim {

inline constexpr int kResultSchemaVersion = 1;

enum class Status { ok, unsupported, failed, interrupted };
const char* name_of(Status status);

struct OutputError {
  std::string name;
  std::string format;  ///< storage format of the tensor: the unit of its ULPs
  precision::ErrorMetrics error;
};

/// A floating tensor that an op reads or writes.
struct TensorDistribution {
  std::string tensor;
  precision::Distribution values;
};

struct OpError {
  std::string node, op, phase;
  std::vector<TensorDistribution> inputs;    ///< as the machine reads them
  std::optional<TensorDistribution> output;  ///< as it writes its first output
  std::string plan;                          ///< the reduction plan of a product, else ""
  std::uint64_t bits_hash = 0;               ///< over the bits of its outputs
  /// Functions that it took from the vector unit's tables, by name.
  std::vector<std::string> approximated;
  precision::ErrorMetrics local;       ///< FP64 of the op on the operands it received
  precision::ErrorMetrics propagated;  ///< FP64 through the graph from rounded inputs and weights
  precision::ErrorMetrics total;       ///< FP64 through the graph from unrounded ones
};

/// Of one product, from sampled output elements.
struct SampledOpError {
  std::string node, op, phase, plan;
  std::int64_t elements = 0;     ///< sampled
  std::int64_t of_elements = 0;  ///< that the output has
  precision::ErrorMetrics local;
  double rel_fro_low = 0.0, rel_fro_high = 0.0;  ///< 95% confidence interval of local.rel_fro
  std::vector<TensorDistribution> inputs;        ///< of the elements that were read
};

struct SampledNumerics {
  std::int64_t macs = 0;       ///< of the whole graph
  std::int64_t most_macs = 0;  ///< above which graphs are sampled
  std::string activations;     ///< distribution of tensors without initial values
  std::vector<SampledOpError> by_op;
  std::map<std::string, std::int64_t> skipped;  ///< ops that were not evaluated: nodes by name
};

struct Numerics {
  std::optional<SampledNumerics> sampled;  ///< then all of the rest is empty
  std::vector<OutputError> outputs;        ///< total
  std::vector<OutputError> outputs_propagated;
  std::string first_nonfinite_op;  ///< "" when none
  std::vector<OpError> by_op;
  /// Those tables: function, what approximates it.
  std::map<std::string, std::string> approximations;
  std::uint64_t output_bits_hash = 0;  ///< over the bits of every output, in order
  std::optional<TaskMetrics> task;     ///< against FP64 of the unrounded tensors
};

struct Timing {
  npu::TimingResult run;
  double seconds = 0.0;
  double samples_per_s = 0.0;
  double utilization = 0.0;
  double achieved_tops = 0.0;
  double peak_tops = 0.0;
};

/// Mapping taken from another NPU's run of the same workload, where it can be.
struct PinnedMapping {
  std::string reference;  ///< name of the NPU
  std::int64_t ops = 0;   ///< mapped as there
  /// Products that are not: node, reason.
  std::vector<std::pair<std::string, std::string>> free;
};

/// Largest value of a workload's parameter with which a run fits.
struct ParameterLimit {
  std::string parameter;
  std::int64_t largest = 0;  ///< 0: not even the smallest fits
  bool at_least = false;     ///< no larger one was tried
  std::int64_t peak_bytes = 0;
  std::string limited_by;  ///< what the next one meets
};

struct RunMemory {
  npu::MemoryFootprint footprint;
  std::int64_t capacity_bytes = 0;  ///< of the NPU's DRAM
  std::vector<ParameterLimit> limits;
  std::vector<npu::MemoryMoment> over_time;
};

/// How one product runs.
struct OpMapping {
  std::string node;
  std::string mapping;          ///< tiles, loop order and split, as --explain-mapping words them
  std::uint64_t plan_hash = 0;  ///< of the order in which it sums
};

struct RunResult {
  std::string npu, workload, mode, recipe, scenario;
  Status status = Status::ok;
  std::string error;
  std::uint64_t seed = 0;
  std::string config_hash;
  std::string mapping_hash;
  std::vector<OpMapping> mappings;  ///< of the products on the arrays, in execution order
  /// Attentions of a training step that the NPU file wants fused with their backward pass.
  std::vector<npu::AttentionInParts> attention_in_parts;
  std::optional<PinnedMapping> pinned;
  HypotheticalOps hypothetical;  ///< with --what-if
  base::JsonValue config;        ///< resolved {npu, workload, recipe}
  std::int64_t parameters = 0;
  std::optional<npu::Area> area;         ///< absent where the NPU file states no coefficients
  std::optional<Timing> timing;          ///< of one device
  std::optional<ClusterTiming> cluster;  ///< of all, where a cluster was given
  std::optional<Numerics> numerics;
  std::optional<RunMemory> memory;
  std::optional<Coverage> coverage;
};

struct HostFacts {
  std::string cpu;
  std::string simd;
  int jobs = 0;
  double wall_seconds = 0.0;
};

struct Result {
  HostFacts host;
  std::vector<RunResult> runs;
  std::vector<std::string> warnings;  ///< what was given has no effect; with its place
};

/// Of a step on all devices, or on the one there is; absent without timing.
std::optional<double> step_seconds(const RunResult& run);

/// The worst (largest) total relative Frobenius error over the outputs; sampled: the worst local
/// one over the ops; absent without numerics.
std::optional<double> worst_output_error(const RunResult& run);

}  // namespace npusim::sim
