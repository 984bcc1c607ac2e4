// SPDX-License-Identifier: Apache-2.0
// A scenario file: a use case as workloads, a mode and a recipe.
#pragma once

#include <string>
#include <vector>

#include "sim/run.h"

namespace npusim::sim {

struct Scenario {
  std::string name, description;
  std::vector<std::string> workload_files;
  Mode mode = Mode::inference;
  std::string recipe_file;  ///< empty: each NPU's default
};
Scenario load_scenario(const std::string& path);

/// "mlp:training" → name and mode; without a suffix the given mode.
struct WorkloadChoice {
  std::string name;
  Mode mode;
};
WorkloadChoice parse_workload_choice(const std::string& text, Mode otherwise);

/// npu × workload × recipe, last fastest; or npu × scenario × its workloads. Names are found here.
struct Selection {
  std::vector<std::string> npus, workloads, recipes, scenarios;
  Mode mode = Mode::inference;
};
std::vector<RunRequest> requests_of(const Selection& selection);
/// The same, going on without the names that were not found.
std::vector<RunRequest> requests_of(const Selection& selection, base::Diagnostics& diagnostics);

}  // namespace npusim::sim
