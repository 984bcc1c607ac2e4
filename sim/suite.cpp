// SPDX-License-Identifier: Apache-2.0
// Suite files.
#include <filesystem>

#include "base/object_reader.h"
#include "sim/catalog.h"
#include "sim/check.h"
#include "sim/scenario.h"

namespace npusim::sim {
namespace {

/// A shipped name, or a file relative to the suite's folder.
std::string file_beside(const base::ValueReader& value, const std::string& kind,
                        const std::string& folder) {
  const std::string text = value.string();
  if (text.empty()) return {};
  try {
    const std::filesystem::path beside = std::filesystem::path(folder) / text;
    if (std::filesystem::is_regular_file(beside)) return beside.string();
    return find_file(kind, text);
  } catch (const base::InputError& error) {
    value.error("unknown-name", error.diagnostics().front().message,
                error.diagnostics().front().allowed);
    return {};
  }
}

SuiteRun read_run(const base::ValueReader& value, const std::string& folder) {
  base::ObjectReader reader(value);
  SuiteRun run;
  run.name = reader.string("name");
  if (const auto npu = reader.required("npu"))
    run.request.npu_file = file_beside(*npu, "npu", folder);
  if (const auto workload = reader.required("workload"))
    run.request.workload_file = file_beside(*workload, "workload", folder);
  if (const auto recipe = reader.optional("recipe"))
    run.request.recipe_file = file_beside(*recipe, "recipe", folder);
  run.request.mode = reader.choice<Mode>(
      "mode", {{"inference", Mode::inference}, {"training", Mode::training}}, Mode::inference);
  run.options.seed = static_cast<std::uint64_t>(reader.integer("seed", base::kNonNegative, 0));
  run.options.numerics = reader.boolean("numerics", true);
  run.options.timing = reader.boolean("timing", true);
  for (const base::ValueReader& item : reader.optional_array("set")) {
    try {
      run.options.overrides.push_back(base::parse_override(item.string()));
    } catch (const base::InputError& error) {
      item.error("bad-override", error.diagnostics().front().message);
    }
  }
  const std::string baseline = reader.string("baseline");
  run.baseline_file = (std::filesystem::path(folder) / baseline).string();
  reader.finish();
  return run;
}

Tolerance read_tolerance(const base::ValueReader& value) {
  base::ObjectReader reader(value);
  Tolerance tolerance;
  tolerance.metric = reader.string("metric");
  tolerance.absolute = reader.number("absolute", base::kNonNegativeNumber, 0.0);
  tolerance.relative = reader.number("relative", base::kNonNegativeNumber, 0.0);
  tolerance.direction = reader.choice<Tolerance::Direction>(
      "direction",
      {{"both", Tolerance::Direction::both},
       {"lower_is_better", Tolerance::Direction::lower_is_better},
       {"higher_is_better", Tolerance::Direction::higher_is_better}},
      Tolerance::Direction::both);
  reader.finish();
  return tolerance;
}

}  // namespace

Suite load_suite(const std::string& path) {
  const base::JsonValue document = base::load_config(path, "suite");
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  base::Diagnostics diagnostics;
  base::ObjectReader reader(base::ValueReader(document, "", diagnostics));
  Suite suite;
  suite.name = reader.string("name");
  reader.string("description", "");
  for (const base::ValueReader& item : reader.array("runs"))
    suite.runs.push_back(read_run(item, folder));
  for (const base::ValueReader& item : reader.optional_array("tolerances"))
    suite.tolerances.push_back(read_tolerance(item));
  for (const char* header : {"schema_version", "kind"}) reader.has(header);
  reader.finish();
  diagnostics.throw_if_any();
  return suite;
}

}  // namespace npusim::sim
