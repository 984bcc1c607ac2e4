// SPDX-License-Identifier: Apache-2.0
// Runs (NPU, workload, recipe) triples: maps each once, simulates timing in worker processes,
// executes numerics with threads. Results do not depend on `jobs`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/config_file.h"
#include "sim/result.h"

namespace npusim::sim {

enum class Mode { inference, training };
const char* name_of(Mode mode);

/// One triple by file (already found through the catalog).
struct RunRequest {
  std::string npu_file, workload_file;
  std::string recipe_file;  ///< empty: the NPU's default_recipe
  Mode mode = Mode::inference;
  std::string scenario;  ///< name, when it came from one
};

struct RunOptions {
  bool timing = true;
  bool numerics = true;
  std::uint64_t seed = 0;
  int jobs = 0;        ///< 0: one per core
  bool quiet = false;  ///< no progress
  /// Parameters of the workloads that change from run to run: coverage then says which ops have a
  /// shape that is not fixed.
  std::vector<std::string> dynamic;
  std::vector<base::ParsedOverride> overrides;
  npu::SimulationOptions simulation;
  /// Name of an NPU whose mapping the others take where they can; empty: each has its own.
  std::string pin_mapping;
  bool what_if = false;      ///< undeclared formats run hypothetically (npu_models/what_if.h)
  std::string cluster_file;  ///< several devices; empty: one
  std::int64_t max_numeric_macs = 0;  ///< above, products are sampled; 0: kMostNumericMacs
  /// What sampled products read as activations; absent: standard normal values.
  std::optional<workloads::Initializer> activations;
  std::string weights;  ///< .safetensors that replaces initialisers by name; empty: none
  std::map<std::string, std::string> inputs;  ///< graph input name -> .npy
  std::string dump_outputs;  ///< folder for <output>.npy; empty: none (single runs only)
  /// Values that an op refuses (a label out of range) fail their run. Among several runs always.
  bool mistakes_fail_runs = false;
  std::function<bool()> interrupted;  ///< polled; may be empty
};

/// Every request becomes one run, in order. Throws base::InputError when a file is invalid; what an
/// NPU cannot do, or a simulation that dies, is a row with status and reason.
Result run_all(const std::vector<RunRequest>& requests, const RunOptions& options);

/// Coverage, and the mapping that says whether a run would be unsupported: no timing or numerics.
Result coverage_all(const std::vector<RunRequest>& requests, const RunOptions& options);

/// 0 ok or unsupported, 4 when a run failed, 130 when interrupted.
int exit_code_of(const Result& result);

}  // namespace npusim::sim
