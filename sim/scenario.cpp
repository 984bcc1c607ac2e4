// SPDX-License-Identifier: Apache-2.0
#include "sim/scenario.h"

#include "base/object_reader.h"
#include "sim/catalog.h"

namespace npusim::sim {
namespace {

const std::vector<std::pair<std::string, Mode>> kModes = {{"inference", Mode::inference},
                                                          {"training", Mode::training}};

void add_requests(std::vector<RunRequest>& requests, const std::string& npu,
                  const std::string& workload, Mode mode, const std::vector<std::string>& recipes,
                  const std::string& scenario) {
  for (const std::string& recipe : recipes)
    requests.push_back({npu, workload, recipe, mode, scenario});
}

}  // namespace

Scenario load_scenario(const std::string& path) {
  const base::JsonValue document = base::load_config(path, "scenario");
  base::Diagnostics diagnostics;
  base::ObjectReader reader(base::ValueReader(document, "", diagnostics));
  Scenario scenario;
  scenario.name = reader.string("name");
  scenario.description = reader.string("description", "");
  for (const base::ValueReader& item : reader.array("workloads")) {
    const std::string name = item.string();
    try {
      if (!name.empty()) scenario.workload_files.push_back(find_file("workload", name));
    } catch (const base::InputError& error) {
      item.error("unknown-name", error.diagnostics().front().message,
                 error.diagnostics().front().allowed);
    }
  }
  scenario.mode = reader.choice<Mode>("mode", kModes, Mode::inference);
  const std::string recipe = reader.string("recipe", "");
  try {
    if (!recipe.empty()) scenario.recipe_file = find_file("recipe", recipe);
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
  throw base::InputError(
      "workload \"" + text + "\": mode \"" + suffix + "\" is neither inference nor training",
      "unknown-choice");
}

std::vector<RunRequest> requests_of(const Selection& selection) {
  std::vector<std::string> recipes;
  for (const std::string& recipe : expand_patterns(selection.recipes))
    recipes.push_back(find_file("recipe", recipe));
  std::vector<Scenario> scenarios;
  for (const std::string& scenario : expand_patterns(selection.scenarios))
    scenarios.push_back(load_scenario(find_file("scenario", scenario)));
  std::vector<RunRequest> requests;
  const std::vector<std::string> npu_default = {""};
  for (const std::string& npu : expand_patterns(selection.npus)) {
    const std::string npu_file = find_file("npu", npu);
    for (const std::string& workload : expand_patterns(selection.workloads)) {
      const WorkloadChoice choice = parse_workload_choice(workload, selection.mode);
      add_requests(requests, npu_file, find_file("workload", choice.name), choice.mode,
                   recipes.empty() ? npu_default : recipes, "");
    }
    for (const Scenario& scenario : scenarios)
      for (const std::string& workload : scenario.workload_files)
        add_requests(requests, npu_file, workload, scenario.mode,
                     recipes.empty() ? std::vector<std::string>{scenario.recipe_file} : recipes,
                     scenario.name);
  }
  return requests;
}

}  // namespace npusim::sim
