// SPDX-License-Identifier: Apache-2.0
#include "sim/dynamic_shapes.h"

#include <algorithm>

#include "sim/run_parts.h"

namespace npusim::sim {
namespace {

std::vector<bool> changed(const RunRequest& request, const Job& job, const RunOptions& options,
                          bool twice) {
  std::vector<base::Override> overrides = overrides_of(options.overrides, "workload");
  for (const std::string& name : options.dynamic)
    if (const auto value = parameter_of(job.workload->resolved, name))
      overrides.push_back(parameter_override(name, twice ? 2 * *value : *value + 1));
  const workloads::Workload workload = workloads::load_workload(request.workload_file, overrides);
  return nodes_that_change(job.graph,
                           graph_of(*job.npu, workload, *job.recipe, request.mode, job.like));
}

}  // namespace

std::vector<bool> dynamic_nodes(const RunRequest& request, const Job& job,
                                const RunOptions& options) {
  if (options.dynamic.empty()) return {};
  try {
    return changed(request, job, options, false);
  } catch (const base::InputError&) {
    return changed(request, job, options, true);
  }
}

std::optional<std::int64_t> parameter_of(const base::JsonValue& workload, const std::string& name) {
  const base::JsonValue* parameters = workload.find("parameters");
  const base::JsonValue* value = parameters == nullptr ? nullptr : parameters->find(name);
  const bool usable = value != nullptr && value->kind() == base::JsonValue::Kind::integer;
  if (!usable || value->integer() <= 0) return std::nullopt;
  return value->integer();
}

void check_parameters(const std::vector<RunResult>& runs, const std::vector<std::string>& names,
                      const std::string& option) {
  base::Diagnostics diagnostics;
  for (const std::string& name : names) {
    const bool known = std::any_of(runs.begin(), runs.end(), [&](const RunResult& run) {
      return parameter_of(*run.config.find("workload"), name).has_value();
    });
    if (known) continue;
    base::Diagnostic mistake;
    mistake.file = option + " " + name;
    mistake.code = "unknown-name";
    mistake.message = "no workload has a parameter " + name + " that is a positive integer";
    mistake.allowed = "a name under \"parameters\" of the workload, as batch";
    diagnostics.add(std::move(mistake));
  }
  diagnostics.throw_if_any();
}

}  // namespace npusim::sim
