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

/// The designs that a sweep looks at: its own, or those of an axis.
std::vector<std::string> npu_files_of(const Sweep& sweep) {
  std::vector<std::string> files;
  for (const Axis& axis : sweep.axes)
    if (axis.paths.front() == "npu")
      for (const base::JsonValue& value : axis.values)
        files.push_back(find_file_beside("npu", value.string(), sweep.folder));
  if (files.empty()) files.push_back(sweep.request.npu_file);
  return files;
}

/// Each unit by itself, so that a mistake is told at its override; of the first design with units.
void load_units(const Sweep& sweep, const std::vector<base::Override>& overrides) {
  std::string file;
  for (const std::string& each : npu_files_of(sweep))
    if (file.empty() || npu::unit_files_of(npu::load_npu(file).resolved).empty()) file = each;
  base::Diagnostics mistakes;
  mistakes.collect([&] { npu::load_npu(file, {}, overrides); });
  const auto names = npu::unit_files_of(npu::load_npu(file).resolved);
  for (const auto& [name, unit] : names)
    mistakes.collect(
        [&, &unit = unit] { npu::load_mac_unit(unit, npu::applicable_to_unit(unit, overrides)); });
  mistakes.throw_if_any();
}

void load_kind(const std::string& kind, const Sweep& sweep,
               const std::vector<base::Override>& overrides) {
  const RunRequest& request = sweep.request;
  if (kind == "npu") npu::load_npu(request.npu_file, overrides);
  if (kind == "unit") load_units(sweep, overrides);
  if (kind == "workload") workloads::load_workload(request.workload_file, overrides);
  if (kind != "recipe") return;
  std::string file = request.recipe_file;
  if (file.empty()) file = find_file("recipe", npu::load_npu(request.npu_file).default_recipe);
  workloads::load_recipe(file, overrides);
}

/// The mistakes that `setting` alone brings, told at `at`.
void check_setting(const Sweep& sweep, const Setting& setting, const base::ValueReader& at) {
  if (is_file_path(setting.path)) {
    find_named_file(base::ValueReader(setting.value, at.pointer(), at.diagnostics()), setting.path,
                    sweep.folder);
    return;
  }
  const std::string text = setting.path + "=" + base::dump_json(setting.value, -1);
  try {
    const base::ParsedOverride parsed = base::parse_override(text);
    load_kind(parsed.kind, sweep, {parsed.override});
  } catch (const base::InputError& error) {
    for (const base::Diagnostic& mistake : error.diagnostics())
      if (is_hopeless(mistake) && (mistake.file.empty() || mistake.file == "--set " + text))
        at.error(mistake.code, text + ": " + mistake.message, mistake.allowed);
  }
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

void check_axis(const Sweep& sweep, const Axis& axis, const base::ValueReader& at) {
  base::JsonValue end = axis.integer
                            ? base::JsonValue::make_integer(static_cast<std::int64_t>(axis.from))
                            : base::JsonValue::make_real(axis.from);
  for (const std::string& path : axis.paths) {
    if (is_file_path(path))  // every name is looked up: that is cheap
      for (const base::JsonValue& value : axis.values) check_setting(sweep, {path, value}, at);
    else if (axis.values.empty())
      check_setting(sweep, {path, end}, at);
    else
      for (const base::JsonValue* value : samples_of(axis))
        check_setting(sweep, {path, *value}, at);
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
  for (const std::string& file : npu_files_of(sweep))
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
    for (const char* kind : {"npu", "workload", "recipe"}) load_kind(kind, sweep, {});
  });
  if (!diagnostics.empty()) return;
  const auto set = root.optional_array("set");
  for (const base::ValueReader& item : set) {
    const std::string text = item.string();
    const std::size_t equals = text.find('=');
    diagnostics.collect([&] {
      base::parse_override(text);
      base::JsonValue value;
      try {
        value = base::parse_json(text.substr(equals + 1), text);
      } catch (const base::InputError&) {
        value = base::JsonValue::make_string(text.substr(equals + 1));
      }
      check_setting(sweep, {text.substr(0, equals), value}, item);
    });
  }
  std::size_t index = 0;
  for (const base::ValueReader& item : root.optional_array("axes"))
    check_axis(sweep, sweep.axes[index++], item);
  index = 0;
  std::set<std::string> seen;  // points mostly name the same paths: the first value stands for all
  for (const base::ValueReader& item : root.optional_array("points")) {
    for (const Setting& setting : sweep.points[index++])
      if (is_file_path(setting.path) || seen.insert(setting.path).second)
        check_setting(sweep, setting, item);
  }
  if (diagnostics.empty()) check_area(sweep, root, diagnostics);
}

}  // namespace npusim::sim
