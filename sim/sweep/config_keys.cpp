// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/config_keys.h"

#include "base/config_override.h"
#include "base/hash.h"
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/run_parts.h"
#include "workloads/onnx/load_workload.h"
#include "workloads/workload.h"

namespace npusim::sim {
namespace {

/// Beyond, texts are made again: a sweep over workload values has few of them.
constexpr std::size_t kMostTexts = 256;

}  // namespace

const base::JsonValue& ConfigKeys::document(const std::string& kind, const std::string& file) {
  const auto found = documents_.find(file);
  if (found != documents_.end()) return found->second;
  base::JsonValue value = workloads::onnx::is_onnx_file(file)
                              ? workloads::load_workload(file).resolved
                              : base::load_config(file, kind);
  return documents_.emplace(file, std::move(value)).first->second;
}

std::string ConfigKeys::text_of(const std::string& kind, const std::string& file,
                                const std::vector<base::Override>& overrides) {
  std::string key = file;
  for (const base::Override& override : overrides) key += "\n" + override.text;
  const auto found = texts_.find(key);
  if (found != texts_.end()) return found->second;
  base::JsonValue value;
  if (workloads::onnx::is_onnx_file(file) && !overrides.empty()) {
    value = workloads::load_workload(file, overrides).resolved;
  } else {
    value = document(kind, file);
    for (const base::Override& override : overrides) base::apply_override(value, override);
  }
  std::string text = base::dump_json(value, -1);
  if (texts_.size() < kMostTexts) texts_.emplace(key, text);
  return text;
}

std::string ConfigKeys::strict_hash_of(const PointRequest& point) {
  std::vector<base::ParsedOverride> overrides;
  for (const std::string& text : point.overrides) overrides.push_back(base::parse_override(text));
  base::JsonValue npu = document("npu", point.request.npu_file);
  for (const base::Override& override : overrides_of(overrides, "npu"))
    base::apply_override(npu, override);
  std::string recipe_file = point.request.recipe_file;
  if (recipe_file.empty()) {
    const base::JsonValue* name = npu.find("default_recipe");
    if (name == nullptr || !name->is_string()) throw base::InputError("no default_recipe");
    recipe_file = find_file("recipe", name->string());
  }
  const std::vector<base::Override> of_units = overrides_of(overrides, "unit");
  base::JsonValue units = base::JsonValue::make_object();
  for (const auto& [name, file] : npu::unit_files_of(npu)) {
    base::JsonValue unit = document("mac_unit", file);
    for (const base::Override& override : npu::applicable_to_unit(file, of_units))
      base::apply_override(unit, override);
    units.set(name, std::move(unit));
  }
  if (!units.members().empty()) npu.set("unit_files", std::move(units));
  std::uint64_t hash = base::fnv1a("{\"npu\":");
  hash = base::fnv1a(base::dump_json(npu, -1), hash);
  hash = base::fnv1a(",\"workload\":", hash);
  hash = base::fnv1a(
      text_of("workload", point.request.workload_file, overrides_of(overrides, "workload")), hash);
  hash = base::fnv1a(",\"recipe\":", hash);
  hash = base::fnv1a(text_of("recipe", recipe_file, overrides_of(overrides, "recipe")), hash);
  return base::hex64(base::fnv1a(name_of(point.request.mode), base::fnv1a("}", hash)));
}

std::string ConfigKeys::hash_of(const PointRequest& point) {
  try {
    return strict_hash_of(point);
  } catch (const base::InputError&) {
    return base::hex64(base::fnv1a(to_text(point)));
  }
}

}  // namespace npusim::sim
