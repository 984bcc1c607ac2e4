// SPDX-License-Identifier: Apache-2.0
#include "sim/scenario.h"

#include <filesystem>

#include "base/object_reader.h"
#include "sim/catalog.h"

namespace npusim::sim {
namespace {

const std::vector<std::pair<std::string, Mode>> kModes = {{"inference", Mode::inference},
                                                          {"training", Mode::training}};

void add_requests(std::vector<RunRequest>& requests, const std::string& workload, Mode mode,
                  const std::vector<std::string>& recipes, const std::string& scenario) {
  for (const std::string& recipe : recipes)
    requests.push_back({"", workload, recipe, mode, scenario});
}

/// The files that names, paths and patterns stand for.
std::vector<std::string> found(const std::string& kind, const std::vector<std::string>& arguments,
                               base::Diagnostics& diagnostics) {
  std::vector<std::string> files;
  for (const std::string& argument : arguments)
    diagnostics.collect([&] {
      for (const std::string& name : expand_patterns({argument}))
        files.push_back(find_file(kind, name));
    });
  return files;
}

}  // namespace

Scenario load_scenario(const std::string& path) {
  base::Diagnostics diagnostics;
  const base::JsonValue document = base::load_config(path, "scenario", {}, diagnostics);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  base::ObjectReader reader(base::ValueReader(document, "", diagnostics));
  Scenario scenario;
  scenario.name = reader.string("name");
  scenario.description = reader.string("description", "");
  for (const base::ValueReader& item : reader.array("workloads")) {
    const std::string name = item.string();
    try {
      if (!name.empty())
        scenario.workload_files.push_back(find_file_beside("workload", name, folder));
    } catch (const base::InputError& error) {
      item.error("unknown-name", error.diagnostics().front().message,
                 error.diagnostics().front().allowed);
    }
  }
  scenario.mode = reader.choice<Mode>("mode", kModes, Mode::inference);
  const std::string recipe = reader.string("recipe", "");
  try {
    if (!recipe.empty()) scenario.recipe_file = find_file_beside("recipe", recipe, folder);
  } catch (const base::InputError& error) {
    reader.error("recipe", "unknown-name", error.diagnostics().front().message,
                 error.diagnostics().front().allowed);
  }
  for (const char* header : {"schema_version", "kind", "source"}) reader.has(header);
  reader.finish();
  diagnostics.throw_if_any();
  return scenario;
}

WorkloadChoice parse_workload_choice(const std::string& text, Mode otherwise) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return {text, otherwise};
  const std::string suffix = text.substr(colon + 1);
  for (const auto& [name, mode] : kModes)
    if (suffix == name) return {text.substr(0, colon), mode};
  base::Diagnostic diagnostic;
  diagnostic.code = "unknown-choice";
  diagnostic.message = "workload \"" + text + "\": unknown mode \"" + suffix + "\"";
  diagnostic.allowed = "inference, training";
  throw base::InputError({diagnostic});
}

std::vector<RunRequest> requests_of(const Selection& selection, base::Diagnostics& diagnostics) {
  const std::vector<std::string> npus = found("npu", selection.npus, diagnostics);
  const std::vector<std::string> recipes = found("recipe", selection.recipes, diagnostics);
  std::vector<RunRequest> kinds;  // the workloads, each for every NPU
  for (const std::string& pattern : selection.workloads)
    diagnostics.collect([&] {
      for (const std::string& workload : expand_patterns({pattern})) {
        const WorkloadChoice choice = parse_workload_choice(workload, selection.mode);
        add_requests(kinds, find_file("workload", choice.name), choice.mode,
                     recipes.empty() ? std::vector<std::string>{""} : recipes, "");
      }
    });
  for (const std::string& file : found("scenario", selection.scenarios, diagnostics))
    diagnostics.collect([&] {
      const Scenario scenario = load_scenario(file);
      for (const std::string& workload : scenario.workload_files)
        add_requests(kinds, workload, scenario.mode,
                     recipes.empty() ? std::vector<std::string>{scenario.recipe_file} : recipes,
                     scenario.name);
    });
  std::vector<RunRequest> requests;
  for (const std::string& npu : npus)
    for (RunRequest request : kinds) {
      request.npu_file = npu;
      requests.push_back(std::move(request));
    }
  return requests;
}

std::vector<RunRequest> requests_of(const Selection& selection) {
  base::Diagnostics diagnostics;
  std::vector<RunRequest> requests = requests_of(selection, diagnostics);
  diagnostics.throw_if_any();
  return requests;
}

}  // namespace npusim::sim
