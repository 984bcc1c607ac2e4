// SPDX-License-Identifier: Apache-2.0
#include "base/config_file.h"

#include <algorithm>
#include <filesystem>

#include "base/object_reader.h"

namespace npusim::base {
namespace {

constexpr std::size_t kLongestChain = 16;
const char* const kSchemaKey = "schema_version";
const char* const kKindKey = "kind";
const char* const kExtendsKey = "extends";

ValueReader root_reader(const JsonValue& document, Diagnostics& diagnostics) {
  return {document, "", diagnostics};
}

/// Reports a wrong version or kind; `extends` (or "") is what it returns.
std::string read_header(const JsonValue& document, const std::string& kind,
                        Diagnostics& diagnostics) {
  ObjectReader reader(root_reader(document, diagnostics));
  if (!document.is_object()) return {};
  if (const auto version = reader.required(kSchemaKey)) {
    if (!version->json().is_number()) {
      version->integer();  // reports the wrong type
    } else if (version->json().number() != kSchemaVersion) {
      version->error("unsupported-version",
                     "schema version " + dump_json(version->json(), -1) + " is unknown",
                     std::to_string(kSchemaVersion));
    }
  }
  if (const auto found = reader.required(kKindKey)) {
    const std::string name = found->string();
    if (found->json().is_string() && name != kind) {
      found->error("wrong-kind", "this file describes a \"" + name + "\"", kind);
    }
  }
  return reader.string(kExtendsKey, std::string());
}

/// Checks that a patch removes (null) only what is there: a misspelt key would do nothing silently.
void refuse_idle_removals(const JsonValue& target, const JsonValue& patch,
                          const std::string& pointer, Diagnostics& diagnostics) {
  if (!patch.is_object() || !target.is_object()) return;
  std::vector<std::string> known;
  for (const JsonValue::Member& member : target.members()) known.push_back(member.first);
  for (const auto& [key, value] : patch.members()) {
    const std::string place = pointer + '/' + pointer_token(key);
    const JsonValue* const old = target.find(key);
    if (old != nullptr) {
      refuse_idle_removals(*old, value, place, diagnostics);
    } else if (value.kind() == JsonValue::Kind::null) {
      const std::string near = did_you_mean(key, known);
      ValueReader(value, place, diagnostics)
          .error("unknown-key", "null removes an inherited key, but none is called \"" + key +
                                    "\"" +
                                    (near.empty() ? "" : " (did you mean \"" + near + "\"?)"));
    }
  }
}

/// RFC 7396. Values that the patch names carry the patch's origin, the others keep their own.
void merge_patch(JsonValue& target, JsonValue patch) {
  if (!patch.is_object()) {
    target = std::move(patch);
    return;
  }
  if (!target.is_object()) target = JsonValue::make_object();
  target.set_origin(patch.origin());
  for (JsonValue::Member& member : patch.members()) {
    if (member.second.kind() == JsonValue::Kind::null) {
      auto& members = target.members();
      members.erase(std::remove_if(members.begin(), members.end(),
                                   [&](const auto& old) { return old.first == member.first; }),
                    members.end());
      continue;
    }
    JsonValue* old = target.find(member.first);
    if (old == nullptr) old = &target.set(member.first, JsonValue::make_null());
    merge_patch(*old, std::move(member.second));
  }
}

void remove_member(JsonValue& object, std::string_view key) {
  auto& members = object.members();
  members.erase(
      std::remove_if(members.begin(), members.end(), [&](const auto& m) { return m.first == key; }),
      members.end());
}

std::filesystem::path identity(const std::string& path) {
  std::error_code error;
  const std::filesystem::path canonical = std::filesystem::weakly_canonical(path, error);
  return error ? std::filesystem::path(path) : canonical;
}

/// One file of an `extends` chain, the child first.
struct Link {
  JsonValue document;
  std::filesystem::path identity;
};

[[noreturn]] void fail_at(const JsonValue& value, const std::string& pointer,
                          const std::string& code, const std::string& message,
                          const std::string& allowed = {}) {
  Diagnostics diagnostics;
  ValueReader(value, pointer, diagnostics).error(code, message, allowed);
  throw InputError(diagnostics.items());
}

/// Opens the parent that `extends` names; a missing one is reported where it is named.
JsonValue open_parent(const JsonValue& child, const std::string& path) {
  if (!std::filesystem::exists(path)) {
    fail_at(*child.find(kExtendsKey), "/extends", "missing-file", "no such file: " + path);
  }
  return parse_json_file(path);
}

std::vector<Link> load_chain(const std::string& path, const std::string& kind) {
  std::vector<Link> chain;
  std::string next = path;
  while (true) {
    const std::filesystem::path self = identity(next);
    for (const Link& link : chain) {
      if (link.identity != self) continue;
      fail_at(*chain.back().document.find(kExtendsKey), "/extends", "cyclic-extends",
              "this file is already among its own parents: " + next);
    }
    if (chain.size() > kLongestChain) {
      fail_at(*chain.back().document.find(kExtendsKey), "/extends", "too-deep",
              "more than " + std::to_string(kLongestChain) + " files extend one another");
    }
    JsonValue document =
        chain.empty() ? parse_json_file(next) : open_parent(chain.back().document, next);
    Diagnostics diagnostics;
    const std::string parent = read_header(document, kind, diagnostics);
    diagnostics.throw_if_any();
    const bool last = document.find(kExtendsKey) == nullptr;
    chain.push_back({std::move(document), self});
    if (last) return chain;
    next = (std::filesystem::path(next).parent_path() / parent).lexically_normal().string();
  }
}

JsonValue merge_chain(std::vector<Link> chain) {
  Diagnostics diagnostics;
  JsonValue merged = std::move(chain.back().document);
  for (std::size_t i = chain.size() - 1; i-- > 0;) {
    remove_member(chain[i].document, kExtendsKey);
    refuse_idle_removals(merged, chain[i].document, "", diagnostics);
    merge_patch(merged, std::move(chain[i].document));
  }
  diagnostics.throw_if_any();
  return merged;
}

void set_origin_everywhere(JsonValue& value, const Origin& origin) {
  value.set_origin(origin);
  if (value.is_array()) {
    for (JsonValue& item : value.items()) set_origin_everywhere(item, origin);
  } else if (value.is_object()) {
    for (JsonValue::Member& member : value.members()) set_origin_everywhere(member.second, origin);
  }
}

JsonValue override_value(const Override& override) {
  JsonValue value;
  try {
    value = parse_json(override.value, override.text);
  } catch (const InputError&) {
    value = JsonValue::make_string(override.value);
  }
  const auto place = std::make_shared<const std::string>("--set " + override.text);
  set_origin_everywhere(value, {place, 0, 0});
  return value;
}

/// A key, or an index when `is_index`.
struct Step {
  std::string text;
  bool is_index = false;
  std::size_t index = 0;
};

[[noreturn]] void fail_override(const Override& override, const std::string& pointer,
                                const std::string& message, const std::string& allowed = {}) {
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
      if (end == at) fail_override(override, "", "empty key in path \"" + path + "\"");
      steps.push_back({path.substr(at, end - at), false, 0});
      at = end;
    }
    if (at < path.size() && path[at] == '.') {
      if (++at == path.size()) fail_override(override, "", "path \"" + path + "\" ends with a dot");
    } else if (at < path.size() && path[at] != '[') {
      fail_override(override, "", "a '.' or '[' is missing after ']' in path \"" + path + "\"");
    }
  }
  if (steps.empty()) fail_override(override, "", "the path is empty", "such as npu.clock_mhz=500");
  return steps;
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
  std::string names;
  if (value.is_object()) {
    for (const auto& member : value.members()) names += (names.empty() ? "" : ", ") + member.first;
  }
  return names;
}

void apply_override(JsonValue& document, const Override& override) {
  const std::vector<Step> steps = split_path(override);
  for (const char* const fixed : {kSchemaKey, kKindKey, kExtendsKey}) {
    if (steps.front().text == fixed) {
      fail_override(override, "", std::string("\"") + fixed + "\" cannot be overridden");
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
    } else {
      fail_override(override, pointer, "nothing to override here", allowed_steps(*target));
    }
  }
  *target = override_value(override);
}

}  // namespace

ParsedOverride parse_override(const std::string& text) {
  Override override;
  override.text = text;
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    fail_override(override, "", "'=' is missing", "such as npu.clock_mhz=500");
  }
  const std::size_t dot = text.find('.');
  const std::string kind = text.substr(0, std::min(dot, equals));
  const std::vector<std::string> kinds = {"npu", "workload", "recipe", "unit"};
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) {
    const std::string near = did_you_mean(kind, kinds);
    fail_override(override, "",
                  "the path starts with \"" + kind + "\"" +
                      (near.empty() ? "" : " (did you mean \"" + near + "\"?)"),
                  "npu, workload, recipe, unit");
  }
  if (dot == std::string::npos || dot + 1 >= equals) {
    fail_override(override, "", "no key after \"" + kind + "\"", "such as npu.clock_mhz=500");
  }
  override.path = text.substr(dot + 1, equals - dot - 1);
  override.value = text.substr(equals + 1);
  return {kind, override};
}

JsonValue load_config(const std::string& path, const std::string& kind,
                      const std::vector<Override>& overrides) {
  JsonValue document = merge_chain(load_chain(path, kind));
  Diagnostics diagnostics;
  for (const Override& override : overrides) {
    try {
      apply_override(document, override);
    } catch (const InputError& error) {
      for (const Diagnostic& item : error.diagnostics()) diagnostics.add(item);
    }
  }
  diagnostics.throw_if_any();
  return document;
}

std::string kind_of_config(const std::string& path) {
  const JsonValue document = parse_json_file(path);
  Diagnostics diagnostics;
  ObjectReader reader(root_reader(document, diagnostics));
  std::string kind = reader.string(kKindKey);
  diagnostics.throw_if_any();
  return kind;
}

}  // namespace npusim::base
