// SPDX-License-Identifier: Apache-2.0
#include "npu_models/provenance.h"

#include <algorithm>

namespace npusim::npu {
namespace {

using base::JsonValue;

const std::vector<std::pair<std::string, FactStatus>>& statuses() {
  static const std::vector<std::pair<std::string, FactStatus>> names = {
      {"published", FactStatus::published},
      {"derived", FactStatus::derived},
      {"assumed", FactStatus::assumed}};
  return names;
}

bool is_at_or_below(const std::string& pointer, const std::string& above) {
  return pointer.compare(0, above.size(), above) == 0 &&
         (pointer.size() == above.size() || pointer[above.size()] == '/');
}

std::string file_of(const JsonValue& value) {
  return value.origin().file ? *value.origin().file : std::string();
}

/// The fact was written in the same file as the value, or in one that extends it. Of a chain of
/// three, the order of the two parents is not looked at: the middle file is checked as itself.
bool states(const Fact& fact, const JsonValue& value, const std::string& newest) {
  const std::string file = file_of(value);
  return fact.file == file || fact.file == newest || file != newest;
}

/// What needs a source: numbers, and operator entries as a whole. How ops are mapped is a choice.
void collect(const JsonValue& value, const std::string& pointer, std::vector<SourcedValue>& out) {
  if (value.is_number()) out.push_back({pointer, &value, nullptr, false});
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.items().size(); ++i)
      collect(value.items()[i], pointer + "/" + std::to_string(i), out);
  }
  if (!value.is_object()) return;
  const bool operators = pointer == "/operators/groups" || pointer == "/operators/ops";
  for (const auto& [key, member] : value.members()) {
    const std::string below = pointer + "/" + base::pointer_token(key);
    if (below == "/sources" || below == "/schema_version" || below == "/mapping") continue;
    if (below == "/unit_files") continue;  // they have sources of their own
    if (operators) {
      out.push_back({below, &member, nullptr, false});
    } else {
      collect(member, below, out);
    }
  }
}

/// The newest value inside an operator entry decides which file wrote it.
const JsonValue& newest_in(const JsonValue& value, const std::string& newest) {
  if (value.is_object())
    for (const auto& [key, member] : value.members())
      if (file_of(member) == newest) return member;
  return value;
}

bool is_overridden(const JsonValue& value) {
  if (value.origin().line == 0) return true;
  if (!value.is_object()) return false;
  return std::any_of(value.members().begin(), value.members().end(),
                     [](const auto& member) { return is_overridden(member.second); });
}

/// True when the document has something at the pointer.
bool stands(const JsonValue& document, const std::string& pointer) {
  const JsonValue* value = &document;
  for (std::size_t begin = 1; value != nullptr && begin <= pointer.size();) {
    const std::size_t end = std::min(pointer.find('/', begin), pointer.size());
    const std::string token = pointer.substr(begin, end - begin);
    begin = end + 1;
    const JsonValue* next = nullptr;
    if (value->is_object()) {
      for (const auto& [key, member] : value->members())
        if (base::pointer_token(key) == token) next = &member;
    } else if (value->is_array()) {
      for (std::size_t i = 0; i < value->items().size(); ++i)
        if (std::to_string(i) == token) next = &value->items()[i];
    }
    value = next;
  }
  return value != nullptr && (pointer.empty() || pointer.front() == '/');
}

}  // namespace

const char* name_of(FactStatus status) {
  return statuses()[static_cast<std::size_t>(status)].first.c_str();
}

std::vector<Fact> read_facts(base::ObjectReader& root) {
  std::vector<Fact> facts;
  const auto sources = root.required("sources", "an object of facts by JSON pointer");
  if (!sources) return facts;
  for (const auto& [pointer, value] : sources->members()) {
    base::ObjectReader object(value);
    Fact fact;
    fact.pointer = pointer;
    fact.status = object.choice<FactStatus>("status", statuses());
    fact.source = object.string("source");
    fact.formula = object.string("formula", "");
    fact.file = file_of(value.json());
    // A child that states another status does not mean the parent's formula.
    const JsonValue* const formula =
        value.json().is_object() ? value.json().find("formula") : nullptr;
    if (formula != nullptr && file_of(*formula) != fact.file && fact.status != FactStatus::derived)
      fact.formula.clear();
    object.finish();
    if (object.has("source") && fact.source.empty() && value.json().find("source")->is_string())
      object.error("source", "empty", "the source is empty", "a citation, or what is assumed");
    if (value.json().is_object() && (fact.status == FactStatus::derived) == fact.formula.empty())
      object.error("formula", "illegal-combination",
                   fact.formula.empty() ? "a derived figure needs the formula it follows from"
                                        : "only a derived figure has a formula",
                   "a formula with status derived, and only there");
    facts.push_back(std::move(fact));
  }
  return facts;
}

std::vector<SourcedValue> sourced_values(const JsonValue& document,
                                         const std::vector<Fact>& facts) {
  std::vector<SourcedValue> values;
  collect(document, "", values);
  const std::string newest = file_of(document);
  for (SourcedValue& value : values) {
    value.overridden = is_overridden(*value.value);
    const JsonValue& written = newest_in(*value.value, newest);
    for (const Fact& fact : facts) {
      if (!is_at_or_below(value.pointer, fact.pointer) || !states(fact, written, newest)) continue;
      if (value.fact == nullptr || fact.pointer.size() > value.fact->pointer.size())
        value.fact = &fact;
    }
  }
  return values;
}

void check_provenance(const JsonValue& document, const std::vector<Fact>& facts,
                      base::Diagnostics& diagnostics) {
  for (const SourcedValue& value : sourced_values(document, facts)) {
    if (value.fact != nullptr || value.overridden) continue;
    const JsonValue& written = newest_in(*value.value, file_of(document));
    base::ValueReader(written, value.pointer, diagnostics)
        .error("no-source", "nothing says where this comes from",
               "\"sources\": {\"" + value.pointer +
                   "\": {\"status\": \"published, derived or assumed\", \"source\": \"...\"}}, at "
                   "this pointer or above it, in the file that writes the value");
  }
  // A key that is misspelt leaves its source idle: one mistake is enough.
  if (!diagnostics.empty()) return;
  const JsonValue* sources = document.find("sources");
  for (const Fact& fact : facts) {
    if (fact.file != file_of(document) || stands(document, fact.pointer)) continue;
    const JsonValue* entry = sources->find(fact.pointer);
    base::ValueReader(*entry, "/sources/" + base::pointer_token(fact.pointer), diagnostics)
        .error("idle-source", "nothing stands at this pointer",
               "the pointer of a number, of an operator entry or of what holds them");
  }
}

}  // namespace npusim::npu
