// SPDX-License-Identifier: Apache-2.0
#include "base/config_override.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/object_reader.h"

namespace npusim::base {
namespace {

const char* const kExample = "such as npu.clock_mhz=500";

void set_origin_everywhere(JsonValue& value, const Origin& origin) {
  value.set_origin(origin);
  if (value.is_array()) {
    for (JsonValue& item : value.items()) set_origin_everywhere(item, origin);
  } else if (value.is_object()) {
    for (JsonValue::Member& member : value.members()) set_origin_everywhere(member.second, origin);
  }
}

Origin origin_of(const Override& override) {
  return {std::make_shared<const std::string>("--set " + override.text), 0, 0};
}

JsonValue override_value(const Override& override) {
  JsonValue value;
  try {
    value = parse_json(override.value, override.text);
  } catch (const InputError&) {
    value = JsonValue::make_string(override.value);
  }
  set_origin_everywhere(value, origin_of(override));
  return value;
}

/// A key, or an index when `is_index`.
struct Step {
  std::string text;
  bool is_index = false;
  std::size_t index = 0;
};

[[noreturn]] void fail_override(const Override& override, const std::string& pointer,
                                const std::string& message, const std::string& allowed) {
  Diagnostic diagnostic;
  diagnostic.file = "--set " + override.text;
  diagnostic.pointer = pointer;
  diagnostic.code = "invalid-override";
  diagnostic.message = message;
  diagnostic.allowed = allowed;
  throw InputError({diagnostic});
}

/// Splits "a.b[2].c" into keys and indices.
std::vector<Step> split_path(const Override& override) {
  const std::string& path = override.path;
  std::vector<Step> steps;
  std::size_t at = 0;
  while (at < path.size()) {
    if (path[at] == '[') {
      const std::size_t end = path.find(']', at);
      const std::string digits = path.substr(at + 1, end == std::string::npos ? end : end - at - 1);
      const bool numeric = !digits.empty() && digits.size() < 10 &&
                           digits.find_first_not_of("0123456789") == std::string::npos;
      if (end == std::string::npos || !numeric) {
        fail_override(override, "", "bad index in path \"" + path + "\"", "such as layers[2].name");
      }
      steps.push_back({digits, true, std::stoul(digits)});
      at = end + 1;
    } else {
      const std::size_t end = std::min(path.find_first_of(".[", at), path.size());
      if (end == at) fail_override(override, "", "empty key in path \"" + path + "\"", kExample);
      steps.push_back({path.substr(at, end - at), false, 0});
      at = end;
    }
    if (at < path.size() && path[at] == '.') {
      if (++at == path.size())
        fail_override(override, "", "path \"" + path + "\" ends with a dot", kExample);
    } else if (at < path.size() && path[at] != '[') {
      fail_override(override, "", "a '.' or '[' is missing after ']' in path \"" + path + "\"",
                    "such as layers[2].name");
    }
  }
  if (steps.empty()) fail_override(override, "", "the path is empty", kExample);
  return steps;
}

/// Objects of the schemas that a file may leave out: naming a key below one makes it. MAC-unit
/// files have none: a path into the units of an NPU is for those that have what it names.
bool may_be_absent(const JsonValue& document, const std::string& pointer) {
  static const std::map<std::string, std::set<std::string>> kObjects = {
      {"npu",
       {"/area",
        "/data_layout",
        "/dma",
        "/dram",
        "/dram/timing",
        "/energy",
        "/energy/add_pj",
        "/energy/multiply_pj",
        "/host",
        "/mac_array",
        "/mac_array/accumulator/alignment",
        "/mac_array/accumulator/spill",
        "/mac_array/fragment",
        "/mac_array/reduction_order",
        "/mapping",
        "/mapping/winograd",
        "/operators",
        "/operators/groups",
        "/operators/ops",
        "/peak_tops",
        "/scratchpad",
        "/sources",
        "/vector_unit",
        "/vector_unit/approximations"}},
      {"workload", {"/blocks", "/parameters", "/training"}},
      {"recipe",
       {"/autocast", "/block_scaling", "/formats", "/loss_scaling", "/operand_scaling",
        "/stochastic"}},
      {"cluster", {"/gradients", "/interconnect"}}};
  const JsonValue* const kind = document.find("kind");
  if (kind == nullptr || !kind->is_string()) return false;
  const auto objects = kObjects.find(kind->string());
  return objects != kObjects.end() && objects->second.count(pointer) != 0;
}

/// The element or member that a step names, or nullptr when it does not exist.
JsonValue* descend(JsonValue& value, const Step& step) {
  if (step.is_index) {
    return value.is_array() && step.index < value.items().size() ? &value.items()[step.index]
                                                                 : nullptr;
  }
  return value.is_object() ? value.find(step.text) : nullptr;
}

std::string allowed_steps(const JsonValue& value) {
  if (value.is_array()) {
    return "an index below " + std::to_string(value.items().size());
  }
  std::vector<std::string> names;
  if (value.is_object()) {
    for (const auto& member : value.members()) names.push_back(member.first);
  }
  return names.empty() ? "nothing below a value" : one_of(names);
}

}  // namespace

void apply_override(JsonValue& document, const Override& override) {
  const std::vector<Step> steps = split_path(override);
  for (const char* const fixed : {"schema_version", "kind", "extends"}) {
    if (steps.front().text == fixed) {
      fail_override(override, "", std::string("\"") + fixed + "\" cannot be overridden",
                    "any other key");
    }
  }
  JsonValue* target = &document;
  std::string pointer;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    JsonValue* const next = descend(*target, step);
    pointer += '/' + pointer_token(step.text);
    if (next != nullptr) {
      target = next;
    } else if (i + 1 == steps.size() && !step.is_index && target->is_object()) {
      target = &target->set(step.text, JsonValue::make_null());
    } else if (target->is_object() && !target->incomplete() && may_be_absent(document, pointer)) {
      JsonValue object = JsonValue::make_object();
      set_origin_everywhere(object, origin_of(override));
      target = &target->set(step.text, std::move(object));
    } else if (target->incomplete()) {
      return;  // what it names may stand in the parent that could not be read
    } else {
      fail_override(override, pointer, "nothing to override here", allowed_steps(*target));
    }
  }
  *target = override_value(override);
}

ParsedOverride parse_override(const std::string& text) {
  Override override;
  override.text = text;
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    fail_override(override, "", "'=' is missing", kExample);
  }
  const std::size_t dot = text.find('.');
  const std::string kind = text.substr(0, std::min(dot, equals));
  const std::vector<std::string> kinds = {"npu", "workload", "recipe", "unit", "cluster"};
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) {
    const std::string near = did_you_mean(kind, kinds);
    fail_override(override, "",
                  "the path starts with \"" + kind + "\"" +
                      (near.empty() ? "" : " (did you mean \"" + near + "\"?)"),
                  "npu, workload, recipe, unit, cluster");
  }
  if (dot == std::string::npos || dot + 1 >= equals) {
    fail_override(override, "", "no key after \"" + kind + "\"", kExample);
  }
  override.path = text.substr(dot + 1, equals - dot - 1);
  override.value = text.substr(equals + 1);
  return {kind, override};
}

}  // namespace npusim::base
