// SPDX-License-Identifier: Apache-2.0
// A training experiment: one workload on one NPU under several recipes, against FP32 from the same
// seed, with the simulated time and the memory of a step of each.
#pragma once

#include <string>
#include <vector>

#include "sim/run.h"
#include "sim/training/train_options.h"

namespace npusim::sim {

struct TrainRequest {
  std::string npu_file, workload_file;
  std::string cluster_file;  ///< empty: one device
  std::vector<std::string> recipe_files;
  std::vector<base::ParsedOverride> overrides;
  TrainOptions options;
  bool reference = true;  ///< train in FP32 too
  bool timing = true;
  bool fp32_step = false;  ///< time a step of FP32 on the NPU too, where it declares FP32 operands
  bool what_if = false;    ///< undeclared formats run hypothetically (npu_models/what_if.h)
  int jobs = 0;
  bool quiet = true;
};

/// Throws base::InputError with every mistake of the files. A recipe that the NPU cannot run is a
/// row (unsupported) in the result, and so is one that diverges.
TrainResult train_all(const TrainRequest& request);

/// 130 interrupted, 4 if a run failed, else 0.
int exit_code_of(const TrainResult& result);

}  // namespace npusim::sim
