// SPDX-License-Identifier: Apache-2.0
// Which ops of a run have shapes that change with parameters of the workload.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/run_job.h"

namespace npusim::sim {

/// One for each node of the job's graph: true where RunOptions::dynamic changes a shape. Found by
/// making the graph again with those parameters one larger, or doubled where shapes ask for a
/// multiple of something. Empty when no parameter is dynamic.
std::vector<bool> dynamic_nodes(const RunRequest& request, const Job& job,
                                const RunOptions& options);

/// A parameter of a workload's config that is a positive integer; absent: there is none of this
/// name, it is 0 or follows from others.
std::optional<std::int64_t> parameter_of(const base::JsonValue& workload, const std::string& name);

/// Throws base::InputError naming each of `names` that parameter_of finds in no run. `option`:
/// where the names were given, for the message.
void check_parameters(const std::vector<RunResult>& runs, const std::vector<std::string>& names,
                      const std::string& option);

}  // namespace npusim::sim
