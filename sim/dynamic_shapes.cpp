// SPDX-License-Identifier: Apache-2.0
#include "sim/dynamic_shapes.h"

#include "sim/run_parts.h"

namespace npusim::sim {
namespace {

std::vector<bool> changed(const RunRequest& request, const Job& job, const RunOptions& options,
                          bool twice) {
  std::vector<base::Override> overrides = overrides_of(options.overrides, "workload");
  const base::JsonValue* parameters = job.workload->resolved.find("parameters");
  for (const std::string& name : options.dynamic) {
    const base::JsonValue* value = parameters == nullptr ? nullptr : parameters->find(name);
    if (value == nullptr || value->kind() != base::JsonValue::Kind::integer) continue;
    const std::int64_t other = twice ? 2 * value->integer() : value->integer() + 1;
    const std::string path = "parameters." + name, text = std::to_string(other);
    overrides.push_back({"workload." + path + "=" + text, path, text});
  }
  const workloads::Workload workload = workloads::load_workload(request.workload_file, overrides);
  return nodes_that_change(job.graph, graph_of(workload, *job.recipe, request.mode));
}

base::Diagnostic mistake(const std::string& option, const std::string& name, const char* code,
                         std::string message, std::string allowed) {
  base::Diagnostic result;
  result.file = option + " " + name;
  result.code = code;
  result.message = std::move(message);
  result.allowed = std::move(allowed);
  return result;
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

const base::JsonValue* parameter_of(const RunResult& run, const std::string& name) {
  const base::JsonValue* parameters = run.config.find("workload")->find("parameters");
  return parameters == nullptr ? nullptr : parameters->find(name);
}

void check_parameters(const std::vector<RunResult>& runs, const std::vector<std::string>& names,
                      const std::string& option) {
  base::Diagnostics diagnostics;
  for (const std::string& name : names) {
    bool known = false;
    for (const RunResult& run : runs) {
      const base::JsonValue* value = parameter_of(run, name);
      if (value == nullptr) continue;
      known = true;
      if (value->kind() == base::JsonValue::Kind::integer && value->integer() > 0) continue;
      diagnostics.add(
          mistake(option, name, "wrong-type",
                  "parameter " + name + " of " + run.workload + " is no positive integer",
                  "a parameter that others follow from"));
    }
    if (!known)
      diagnostics.add(mistake(option, name, "unknown-name", "no workload has a parameter " + name,
                              "a name under \"parameters\" of the workload, as batch"));
  }
  diagnostics.throw_if_any();
}

}  // namespace npusim::sim
