// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/config_keys.h"

#include "base/config_override.h"
#include "base/hash.h"
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
  if (kind != "npu" && texts_.size() < kMostTexts) texts_.emplace(key, text);
  return text;
}

std::string ConfigKeys::strict_hash_of(const PointRequest& point) {
  base::Diagnostics diagnostics;
  std::vector<base::ParsedOverride> overrides;
  for (const std::string& text : point.overrides) overrides.push_back(base::parse_override(text));
  const std::vector<base::Override> of_npu = overrides_of(overrides, "npu");
  std::string recipe_file = point.request.recipe_file;
  if (recipe_file.empty()) {
    base::JsonValue npu = document("npu", point.request.npu_file);
    for (const base::Override& override : of_npu) base::apply_override(npu, override);
    const base::JsonValue* name = npu.find("default_recipe");
    if (name == nullptr || !name->is_string()) throw base::InputError("no default_recipe");
    recipe_file = find_file("recipe", name->string());
  }
  std::uint64_t hash = base::fnv1a("{\"npu\":");
  hash = base::fnv1a(text_of("npu", point.request.npu_file, of_npu), hash);
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
