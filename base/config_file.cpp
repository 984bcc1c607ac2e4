// SPDX-License-Identifier: Apache-2.0
#include "base/config_file.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/config_override.h"
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

void check_version(ObjectReader& reader) {
  if (const auto version = reader.required(kSchemaKey, std::to_string(kSchemaVersion))) {
    if (!version->json().is_number()) {
      version->integer({kSchemaVersion, kSchemaVersion});  // reports the wrong type
    } else if (version->json().number() != kSchemaVersion) {
      version->error("unsupported-version",
                     "schema version " + dump_json(version->json(), -1) + " is unknown",
                     std::to_string(kSchemaVersion));
    }
  }
}

struct Header {
  bool usable = false;  ///< an object, and not one of another kind
  std::optional<std::string> parent;
};

/// Reports a wrong version or kind.
Header read_header(const JsonValue& document, const std::string& kind, Diagnostics& diagnostics) {
  ObjectReader reader(root_reader(document, diagnostics));
  Header header;
  if (!document.is_object()) return header;
  check_version(reader);
  header.usable = true;
  if (const auto found = reader.required(kKindKey, kind)) {
    const std::string name = found->string();
    header.usable = !found->json().is_string() || name == kind;
    if (!header.usable) found->error("wrong-kind", "this file describes a \"" + name + "\"", kind);
  }
  if (reader.has(kExtendsKey)) header.parent = reader.string(kExtendsKey);
  return header;
}

/// Checks that a patch removes (null) only what is there: a misspelt key would do nothing silently.
void refuse_idle_removals(const JsonValue& target, const JsonValue& patch,
                          const std::string& pointer, Diagnostics& diagnostics) {
  if (!patch.is_object() || !target.is_object() || target.incomplete()) return;
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
          .error("unknown-key",
                 "null removes an inherited key, but none is called \"" + key + "\"" +
                     (near.empty() ? "" : " (did you mean \"" + near + "\"?)"),
                 known.empty() ? "no keys" : one_of(known));
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

struct Chain {
  std::vector<Link> links;
  bool broken = false;  ///< a parent is missing: what it holds is not known
};

/// Whether `path` can be a parent of the last link; if not, that is reported where it is named.
bool may_extend(const std::vector<Link>& links, const std::string& path, Diagnostics& diagnostics) {
  const ValueReader named(*links.back().document.find(kExtendsKey), "/extends", diagnostics);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored) || std::filesystem::is_directory(path, ignored)) {
    named.error("missing-file", "no such file: " + path, "a file, relative to this one");
    return false;
  }
  const std::filesystem::path self = identity(path);
  if (std::any_of(links.begin(), links.end(), [&](const auto& l) { return l.identity == self; })) {
    named.error("cyclic-extends", "this file is already among its own parents: " + path,
                "a file that does not extend this one");
    return false;
  }
  if (links.size() > kLongestChain) {
    named.error("too-deep",
                "more than " + std::to_string(kLongestChain) + " files extend one another",
                "at most " + std::to_string(kLongestChain));
    return false;
  }
  return true;
}

/// Throws when the first file cannot be read; without a parent it goes on.
Chain load_chain(const std::string& path, const std::string& kind, Diagnostics& diagnostics) {
  Chain chain;
  std::string next = path;
  while (chain.links.empty() || may_extend(chain.links, next, diagnostics)) {
    JsonValue document;
    Header header;
    diagnostics.collect([&] {
      document = parse_json_file(next, diagnostics);
      header = read_header(document, kind, diagnostics);
    });
    if (!header.usable) break;
    const JsonValue* const extends = document.find(kExtendsKey);
    const bool last = extends == nullptr;
    const bool readable = last || extends->is_string();
    chain.links.push_back({std::move(document), identity(next)});
    if (last) return chain;
    if (!readable) break;
    next = (std::filesystem::path(next).parent_path() / *header.parent).lexically_normal().string();
  }
  if (chain.links.empty()) diagnostics.throw_if_any();
  chain.broken = true;
  return chain;
}

void mark_incomplete(JsonValue& value) {
  if (!value.is_object()) return;  // arrays are never merged: theirs are whole
  value.set_incomplete();
  for (JsonValue::Member& member : value.members()) mark_incomplete(member.second);
}

JsonValue merge_chain(Chain chain, Diagnostics& diagnostics) {
  JsonValue merged = JsonValue::make_object();
  std::size_t left = chain.links.size();
  if (!chain.broken) merged = std::move(chain.links[--left].document);
  while (left-- > 0) {
    if (chain.broken) mark_incomplete(merged);
    JsonValue& child = chain.links[left].document;
    remove_member(child, kExtendsKey);
    refuse_idle_removals(merged, child, "", diagnostics);
    merge_patch(merged, std::move(child));
  }
  if (chain.broken) mark_incomplete(merged);
  return merged;
}

}  // namespace

JsonValue load_config(const std::string& path, const std::string& kind,
                      const std::vector<Override>& overrides, Diagnostics& diagnostics) {
  JsonValue document = merge_chain(load_chain(path, kind, diagnostics), diagnostics);
  for (const Override& override : overrides)
    diagnostics.collect([&] { apply_override(document, override); });
  return document;
}

JsonValue load_config(const std::string& path, const std::string& kind,
                      const std::vector<Override>& overrides) {
  Diagnostics diagnostics;
  JsonValue document = load_config(path, kind, overrides, diagnostics);
  diagnostics.throw_if_any();
  return document;
}

std::string kind_of_config(const std::string& path, const std::vector<std::string>& known) {
  Diagnostics diagnostics;
  JsonValue document;
  std::string kind;
  const bool parsed = diagnostics.collect([&] { document = parse_json_file(path, diagnostics); });
  const bool found = parsed && diagnostics.collect([&] {
    Diagnostics mistakes;
    ObjectReader reader(root_reader(document, mistakes));
    if (const auto value = reader.required(kKindKey, one_of(known))) value->choice(known);
    if (!mistakes.empty()) check_version(reader);  // nobody else will
    mistakes.throw_if_any();
    kind = document.find(kKindKey)->string();
  });
  if (!found) diagnostics.throw_if_any();  // else loading repeats what is wrong
  return kind;
}

}  // namespace npusim::base
