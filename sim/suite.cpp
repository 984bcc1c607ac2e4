// SPDX-License-Identifier: Apache-2.0
// Suite files.
#include <filesystem>

#include "base/object_reader.h"
#include "sim/catalog.h"
#include "sim/check.h"
#include "sim/scenario.h"
#include "sim/suite_checks.h"

namespace npusim::sim {
namespace {

const char* const kFileOrName = "a file, or the name of a shipped one";

/// A shipped name, or a file relative to the suite's folder.
std::string file_beside(const base::ValueReader& value, const std::string& kind,
                        const std::string& folder) {
  const std::string text = value.string();
  if (text.empty()) return {};
  try {
    return find_file_beside(kind, text, folder);
  } catch (const base::InputError& error) {
    value.error("unknown-name", error.diagnostics().front().message,
                error.diagnostics().front().allowed);
    return {};
  }
}

/// The elements of "set" that became overrides of the run.
std::vector<base::ValueReader> read_overrides(base::ObjectReader& reader, SuiteRun& run) {
  std::vector<base::ValueReader> good;
  for (const base::ValueReader& item : reader.optional_array("set")) {
    const std::string text = item.string();
    if (!item.json().is_string()) continue;
    try {
      base::ParsedOverride parsed = base::parse_override(text);
      if (parsed.kind == "unit") {
        item.error("bad-override", text + ": a run has no unit file", "npu, workload, recipe");
        continue;
      }
      run.options.overrides.push_back(std::move(parsed));
      good.push_back(item);
    } catch (const base::InputError& error) {
      for (const base::Diagnostic& mistake : error.diagnostics())
        item.error("bad-override", text + ": " + mistake.message, mistake.allowed);
    }
  }
  return good;
}

SuiteRun read_run(const base::ValueReader& value, const std::string& folder, bool need_baseline,
                  SuiteFileCheck& files) {
  base::ObjectReader reader(value);
  SuiteRun run;
  run.name = reader.string("name");
  if (const auto npu = reader.required("npu", kFileOrName))
    run.request.npu_file = file_beside(*npu, "npu", folder);
  if (const auto workload = reader.required("workload", kFileOrName))
    run.request.workload_file = file_beside(*workload, "workload", folder);
  if (const auto recipe = reader.optional("recipe"))
    run.request.recipe_file = file_beside(*recipe, "recipe", folder);
  run.request.mode = reader.choice<Mode>(
      "mode", {{"inference", Mode::inference}, {"training", Mode::training}}, Mode::inference);
  run.options.seed = static_cast<std::uint64_t>(reader.integer("seed", base::kNonNegative, 0));
  run.options.numerics = reader.boolean("numerics", true);
  run.options.timing = reader.boolean("timing", true);
  run.options.what_if = reader.boolean("what_if", false);
  const std::vector<base::ValueReader> set = read_overrides(reader, run);
  if (const auto baseline = reader.required("baseline", "a file, relative to this one")) {
    run.baseline_file = (std::filesystem::path(folder) / baseline->string()).string();
    if (need_baseline && baseline->json().is_string() &&
        !std::filesystem::is_regular_file(run.baseline_file))
      baseline->error("missing-file", "no such file: " + run.baseline_file,
                      "an existing baseline (`npusim check --update` writes it)");
  }
  reader.finish();
  files.check(run, value, set);
  return run;
}

/// A name of its own for the last run, and a baseline that no other run overwrites.
void check_unique(const Suite& suite, const base::ValueReader& at) {
  if (!at.json().is_object()) return;
  const SuiteRun& last = suite.runs.back();
  base::ObjectReader reader(at);
  for (std::size_t i = 0; i + 1 < suite.runs.size(); ++i) {
    const std::string other = "run " + std::to_string(i);
    if (!last.name.empty() && suite.runs[i].name == last.name)
      reader.error("name", "duplicate", other + " is named \"" + last.name + "\" too",
                   "a name of its own for each run");
    if (!last.baseline_file.empty() && suite.runs[i].baseline_file == last.baseline_file)
      reader.error("baseline", "duplicate", other + " has this baseline too",
                   "a baseline of its own for each run");
  }
}

/// `timing`, `numerics`: some run of the suite computes them.
Tolerance read_tolerance(const base::ValueReader& value, bool timing, bool numerics) {
  base::ObjectReader reader(value);
  Tolerance tolerance;
  tolerance.metric = reader.string("metric");
  if (!tolerance.metric.empty() && !can_match_metric(tolerance.metric, timing, numerics))
    reader.error("metric", "matches-nothing",
                 "\"" + tolerance.metric + "\" matches no real number of a run of this suite",
                 "a pointer into a run, such as /numerics/**/rel_fro (integers compare exactly)");
  tolerance.absolute = reader.number("absolute", base::kNonNegativeNumber, 0.0);
  tolerance.relative = reader.number("relative", base::kNonNegativeNumber, 0.0);
  tolerance.ulps = reader.number("ulps", base::kNonNegativeNumber, 0.0);
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

Suite load_suite(const std::string& path, bool need_baselines) {
  base::Diagnostics diagnostics;
  const base::JsonValue document = base::load_config(path, "suite", {}, diagnostics);
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  base::ObjectReader reader(base::ValueReader(document, "", diagnostics));
  Suite suite;
  suite.name = reader.string("name");
  reader.string("description", "");
  SuiteFileCheck files(diagnostics);
  bool timing = false, numerics = false;
  for (const base::ValueReader& item : reader.array("runs")) {
    suite.runs.push_back(read_run(item, folder, need_baselines, files));
    check_unique(suite, item);
    timing = timing || suite.runs.back().options.timing;
    numerics = numerics || suite.runs.back().options.numerics;
  }
  for (const base::ValueReader& item : reader.optional_array("tolerances"))
    suite.tolerances.push_back(read_tolerance(item, timing, numerics));
  for (const char* header : {"schema_version", "kind"}) reader.has(header);
  reader.finish();
  diagnostics.throw_if_any();
  return suite;
}

}  // namespace npusim::sim
