// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/sweep_checks.h"

#include <algorithm>
#include <set>

#include "npu_models/area.h"
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/run_parts.h"
#include "sim/sweep/point.h"
#include "workloads/workload.h"

namespace npusim::sim {
namespace {

bool is_file_path(const std::string& path) {
  return path == "npu" || path == "workload" || path == "recipe";
}

/// What no combination with other values makes right.
bool is_hopeless(const base::Diagnostic& mistake) {
  const std::vector<std::string> codes = {"unknown-key", "invalid-override", "wrong-type"};
  return std::find(codes.begin(), codes.end(), mistake.code) != codes.end();
}

/// The files of a kind that a sweep looks at: its own, and those of its axes or points.
std::vector<std::string> files_of(const Sweep& sweep, const std::string& kind) {
  std::vector<std::string> files;
  const auto add = [&](const std::string& path, const base::JsonValue& value) {
    if (path != kind || !value.is_string()) return;
    std::string file;
    try {
      file = find_file_beside(kind, value.string(), sweep.folder);
    } catch (const base::InputError&) {
      return;  // told at the axis or point
    }
    if (std::find(files.begin(), files.end(), file) == files.end()) files.push_back(file);
  };
  for (const Axis& axis : sweep.axes)
    for (const std::string& path : axis.paths)
      for (const base::JsonValue& value : axis.values) add(path, value);
  for (const Assignment& point : sweep.points)
    for (const Setting& setting : point) add(setting.path, setting.value);
  // An axis names the file of every point, a point of a list only its own.
  if (!files.empty() && sweep.points.empty()) return files;
  if (kind == "npu") files.push_back(sweep.request.npu_file);
  if (kind == "workload") files.push_back(sweep.request.workload_file);
  if (kind == "recipe" && !sweep.request.recipe_file.empty())
    files.push_back(sweep.request.recipe_file);
  if (kind == "recipe" && sweep.request.recipe_file.empty())
    for (const std::string& npu : files_of(sweep, "npu"))
      files.push_back(find_file("recipe", npu::load_npu(npu).default_recipe));
  return files;
}

/// Each unit by itself, so that a mistake is told at its override.
void load_units(const std::string& file, const std::vector<base::Override>& of_npu,
                const std::vector<base::Override>& of_units) {
  base::Diagnostics mistakes;
  mistakes.collect([&] { npu::load_npu(file, of_npu, of_units); });
  const auto names = npu::unit_files_of(npu::load_npu(file, of_npu).resolved);
  for (const auto& [name, unit] : names)
    mistakes.collect(
        [&, &unit = unit] { npu::load_mac_unit(unit, npu::applicable_to_unit(unit, of_units)); });
  mistakes.throw_if_any();
}

void load_kind(const std::string& kind, const std::string& file,
               const std::vector<base::ParsedOverride>& overrides) {
  if (kind == "npu") npu::load_npu(file, overrides_of(overrides, "npu"));
  if (kind == "unit")
    load_units(file, overrides_of(overrides, "npu"), overrides_of(overrides, "unit"));
  if (kind == "workload") workloads::load_workload(file, overrides_of(overrides, "workload"));
  if (kind == "recipe") workloads::load_recipe(file, overrides_of(overrides, "recipe"));
}

/// The files that a path of this kind leads into; of designs those first that name units.
std::vector<std::string> files_of_path(const Sweep& sweep, const std::string& kind) {
  if (kind != "unit") return files_of(sweep, kind);
  std::vector<std::string> files = files_of(sweep, "npu");
  std::stable_partition(files.begin(), files.end(), [](const std::string& file) {
    return !npu::unit_files_of(npu::load_npu(file).resolved).empty();
  });
  return files;
}

/// The hopeless mistakes that the override `text` brings to a file, on top of `before`.
std::vector<base::Diagnostic> mistakes_in(const std::string& kind, const std::string& file,
                                          std::vector<base::ParsedOverride> before,
                                          const std::string& text) {
  before.push_back(base::parse_override(text));
  std::vector<base::Diagnostic> mistakes;
  try {
    load_kind(kind, file, before);
  } catch (const base::InputError& error) {
    for (const base::Diagnostic& mistake : error.diagnostics())
      if (is_hopeless(mistake) && (mistake.file.empty() || mistake.file == "--set " + text))
        mistakes.push_back(mistake);
  }
  return mistakes;
}

/// The mistakes that `setting` brings on top of `before`, told at `at`: those of the first file, if
/// every file that a point may have refuses it. A point whose own file does is for the sweep to
/// find: a row that says `invalid`.
void check_setting(const Sweep& sweep, const std::vector<base::ParsedOverride>& before,
                   const Setting& setting, const base::ValueReader& at) {
  if (is_file_path(setting.path)) {
    find_named_file(base::ValueReader(setting.value, at.pointer(), at.diagnostics()), setting.path,
                    sweep.folder);
    return;
  }
  const std::string text = setting.path + "=" + base::dump_json(setting.value, -1);
  std::vector<base::Diagnostic> first;
  try {
    const std::string kind = base::parse_override(text).kind;
    for (const std::string& file : files_of_path(sweep, kind)) {
      std::vector<base::Diagnostic> mistakes = mistakes_in(kind, file, before, text);
      if (mistakes.empty()) return;
      if (first.empty()) first = std::move(mistakes);
    }
  } catch (const base::InputError& error) {  // of the override itself, or of a file's name
    for (const base::Diagnostic& mistake : error.diagnostics())
      if (is_hopeless(mistake)) first.push_back(mistake);
  }
  for (const base::Diagnostic& mistake : first)
    at.error(mistake.code, text + ": " + mistake.message, mistake.allowed);
}

/// The first and last value of an axis, and any other type in between.
std::vector<const base::JsonValue*> samples_of(const Axis& axis) {
  std::vector<const base::JsonValue*> samples;
  for (const base::JsonValue& value : axis.values) {
    const bool ends = samples.empty() || &value == &axis.values.back();
    if (ends || value.kind() != samples.back()->kind()) samples.push_back(&value);
  }
  return samples;
}

void check_axis(const Sweep& sweep, const std::vector<base::ParsedOverride>& before,
                const Axis& axis, const base::ValueReader& at) {
  base::JsonValue end = axis.integer
                            ? base::JsonValue::make_integer(static_cast<std::int64_t>(axis.from))
                            : base::JsonValue::make_real(axis.from);
  for (const std::string& path : axis.paths) {
    if (is_file_path(path))  // every name is looked up: that is cheap
      for (const base::JsonValue& value : axis.values)
        check_setting(sweep, before, {path, value}, at);
    else if (axis.values.empty())
      check_setting(sweep, before, {path, end}, at);
    else
      for (const base::JsonValue* value : samples_of(axis))
        check_setting(sweep, before, {path, *value}, at);
  }
}

/// The objectives and constraints that read a design's area: their keys.
std::vector<std::string> readers_of_area(const Sweep& sweep) {
  const std::size_t area = *find_metric("area_mm2");
  std::vector<std::string> keys;
  for (const std::size_t metric : sweep.objectives)
    if (metric == area) keys.emplace_back("objectives");
  for (const Constraint& constraint : sweep.constraints)
    if (constraint.metric == area) keys.emplace_back("constraints");
  return keys;
}

/// A design without coefficients has no area: better said now than by points without a value.
void check_area(const Sweep& sweep, base::ObjectReader& root, base::Diagnostics& diagnostics) {
  const std::vector<std::string> keys = readers_of_area(sweep);
  if (keys.empty()) return;
  std::vector<base::ParsedOverride> overrides;
  for (const std::string& text : sweep.overrides) overrides.push_back(base::parse_override(text));
  for (const std::string& file : files_of(sweep, "npu"))
    diagnostics.collect([&] {
      const npu::NpuSpec npu = npu::load_npu(file, overrides_of(overrides, "npu"));
      if (!npu::area_of(npu))
        root.error(keys.front(), "no-coefficient",
                   "area_mm2 needs coefficients, and " + file + " has none",
                   "a section \"area\" in the NPU's file, each figure derived or assumed");
    });
}

}  // namespace

std::string find_named_file(const base::ValueReader& value, const std::string& kind,
                            const std::string& folder) {
  const std::string name = value.string();
  if (name.empty()) return {};
  try {
    return find_file_beside(kind, name, folder);
  } catch (const base::InputError& error) {
    value.error("unknown-name", error.diagnostics().front().message,
                error.diagnostics().front().allowed);
    return {};
  }
}

void check_settings(const Sweep& sweep, base::ObjectReader& root, base::Diagnostics& diagnostics) {
  diagnostics.collect([&] {
    const RunRequest& request = sweep.request;
    load_kind("workload", request.workload_file, {});
    load_kind("recipe",
              request.recipe_file.empty()
                  ? find_file("recipe", npu::load_npu(request.npu_file).default_recipe)
                  : request.recipe_file,
              {});
    load_kind("npu", request.npu_file, {});
  });
  if (!diagnostics.empty()) return;
  std::vector<base::ParsedOverride> before;
  for (const base::ValueReader& item : root.optional_array("set")) {
    const std::string text = item.string();
    const std::size_t equals = text.find('=');
    diagnostics.collect([&] {
      base::ParsedOverride parsed = base::parse_override(text);
      base::JsonValue value;
      try {
        value = base::parse_json(text.substr(equals + 1), text);
      } catch (const base::InputError&) {
        value = base::JsonValue::make_string(text.substr(equals + 1));
      }
      check_setting(sweep, before, {text.substr(0, equals), value}, item);
      before.push_back(std::move(parsed));
    });
  }
  if (!diagnostics.empty()) return;  // what comes on top would only repeat it
  std::size_t index = 0;
  for (const base::ValueReader& item : root.optional_array("axes"))
    check_axis(sweep, before, sweep.axes[index++], item);
  index = 0;
  std::set<std::string> seen;  // points mostly name the same paths: the first value stands for all
  for (const base::ValueReader& item : root.optional_array("points")) {
    for (const Setting& setting : sweep.points[index++])
      if (is_file_path(setting.path) || seen.insert(setting.path).second)
        check_setting(sweep, before, setting, item);
  }
  if (diagnostics.empty()) check_area(sweep, root, diagnostics);
}

}  // namespace npusim::sim
