// SPDX-License-Identifier: Apache-2.0
// Which ops of a run have shapes that change with parameters of the workload.
#pragma once

#include <vector>

#include "sim/run_job.h"

namespace npusim::sim {

/// One for each node of the job's graph: true where RunOptions::dynamic changes a shape. Found by
/// making the graph again with those parameters one larger, or doubled where shapes ask for a
/// multiple of something. Empty when no parameter is dynamic.
std::vector<bool> dynamic_nodes(const RunRequest& request, const Job& job,
                                const RunOptions& options);

/// Throws base::InputError when no workload has a parameter of a name in `names`, or when it is no
/// positive integer. `option`: where the names were given, for the message.
void check_parameters(const std::vector<RunResult>& runs, const std::vector<std::string>& names,
                      const std::string& option);

/// Null when the run's workload has no parameter of this name.
const base::JsonValue* parameter_of(const RunResult& run, const std::string& name);

}  // namespace npusim::sim
