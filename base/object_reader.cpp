// SPDX-License-Identifier: Apache-2.0
#include "base/object_reader.h"

#include <algorithm>
#include <cmath>

namespace npusim::base {
namespace {

const char* const kBooleans = "true or false";
const char* const kString = "a string";
const char* const kArray = "an array";
const char* const kObject = "an object";
constexpr double kExactIntegers = 9007199254740992.0;  // 2^53

/// A value as it may stand in a message: short and on one line.
std::string shown(const JsonValue& value) {
  constexpr std::size_t kLongest = 40;
  std::string text = dump_json(value, -1);
  if (text.size() > kLongest) {
    std::size_t cut = kLongest;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) --cut;
    text = text.substr(0, cut) + "...";
  }
  return text;
}

std::string number_text(double value) {
  return dump_json(JsonValue::make_real(value), -1);
}

std::string allowed_text(NumberRange range) {
  const bool bounded_below = range.low != -std::numeric_limits<double>::max();
  const bool bounded_above = range.high != std::numeric_limits<double>::max();
  std::string text = "a number";
  if (bounded_below) text += (range.low_open ? " above " : " from ") + number_text(range.low);
  if (bounded_above) text += (bounded_below ? " to " : " up to ") + number_text(range.high);
  return text;
}

std::string hint(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string near = did_you_mean(word, candidates);
  return near.empty() ? "" : " (did you mean \"" + near + "\"?)";
}

void wrong_type(const ValueReader& reader, const std::string& wanted) {
  const JsonValue& json = reader.json();
  const bool show = json.kind() != JsonValue::Kind::null && !json.is_array() && !json.is_object();
  reader.error("wrong-type", (show ? shown(json) + " is " : "this is ") + kind_name(json.kind()),
               wanted);
}

/// Edit distance with swaps of neighbours counted once (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string allowed_text(IntegerRange range) {
  const bool bounded_below = range.low != std::numeric_limits<std::int64_t>::min();
  const bool bounded_above = range.high != std::numeric_limits<std::int64_t>::max();
  std::string text = "an integer";
  if (bounded_below) text += " from " + std::to_string(range.low);
  if (bounded_above) text += (bounded_below ? " to " : " up to ") + std::to_string(range.high);
  return text;
}

std::string one_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t kLongestWord = 100;
  if (word.empty() || word.size() > kLongestWord) return {};
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestWord) continue;
    const std::size_t distance = edit_distance(word, candidate);
    // A distance of the whole word would call any two short words near.
    if (distance < best_distance && distance < std::max(word.size(), candidate.size())) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

void ValueReader::error(std::string code, std::string message, std::string allowed) const {
  if (value_->told()) return;
  const Origin& origin = value_->origin();
  Diagnostic diagnostic;
  if (origin.file) diagnostic.file = *origin.file;
  diagnostic.line = origin.line;
  diagnostic.column = origin.column;
  diagnostic.pointer = pointer_;
  diagnostic.code = std::move(code);
  diagnostic.message = std::move(message);
  diagnostic.allowed = std::move(allowed);
  diagnostics_->add(std::move(diagnostic));
}

std::int64_t ValueReader::integer(IntegerRange range, std::int64_t fallback) const {
  std::int64_t value = 0;
  if (value_->kind() == JsonValue::Kind::integer) {
    value = value_->integer();
  } else if (value_->kind() == JsonValue::Kind::real &&
             std::fabs(value_->number()) <= kExactIntegers &&
             std::trunc(value_->number()) == value_->number()) {
    value =
        static_cast<std::int64_t>(value_->number());  // 1e9 and 3.0 are integers, as in JSON Schema
  } else if (value_->kind() == JsonValue::Kind::real) {
    error("not-an-integer", shown(*value_) + " is not an integer", allowed_text(range));
    return fallback;
  } else {
    wrong_type(*this, allowed_text(range));
    return fallback;
  }
  if (value >= range.low && value <= range.high) return value;
  error("out-of-range", shown(*value_) + " is out of range", allowed_text(range));
  return fallback;
}

double ValueReader::number(NumberRange range, double fallback) const {
  if (!value_->is_number()) {
    wrong_type(*this, allowed_text(range));
    return fallback;
  }
  const double value = value_->number();
  const bool low_enough = range.low_open ? value > range.low : value >= range.low;
  if (low_enough && value <= range.high) return value;
  error("out-of-range", shown(*value_) + " is out of range", allowed_text(range));
  return fallback;
}

bool ValueReader::boolean() const {
  if (value_->kind() == JsonValue::Kind::boolean) return value_->boolean();
  wrong_type(*this, kBooleans);
  return false;
}

std::string ValueReader::string() const {
  if (value_->is_string()) return value_->string();
  wrong_type(*this, kString);
  return {};
}

std::size_t ValueReader::choice(const std::vector<std::string>& names) const {
  if (!value_->is_string()) {
    wrong_type(*this, one_of(names));
    return 0;
  }
  const auto found = std::find(names.begin(), names.end(), value_->string());
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  error("unknown-value", "unknown value " + shown(*value_) + hint(value_->string(), names),
        one_of(names));
  return 0;
}

std::vector<ValueReader> ValueReader::array() const {
  std::vector<ValueReader> elements;
  if (!value_->is_array()) {
    wrong_type(*this, kArray);
    return elements;
  }
  elements.reserve(value_->items().size());
  for (const JsonValue& item : value_->items()) {
    elements.emplace_back(item, pointer_ + '/' + std::to_string(elements.size()), *diagnostics_);
  }
  return elements;
}

std::vector<std::pair<std::string, ValueReader>> ValueReader::members() const {
  std::vector<std::pair<std::string, ValueReader>> result;
  if (!value_->is_object()) {
    wrong_type(*this, kObject);
    return result;
  }
  result.reserve(value_->members().size());
  for (const JsonValue::Member& member : value_->members()) {
    result.emplace_back(
        member.first,
        ValueReader(member.second, pointer_ + '/' + pointer_token(member.first), *diagnostics_));
  }
  return result;
}

ObjectReader::ObjectReader(const ValueReader& value) : self_(value) {
  if (!value.json().is_object()) wrong_type(value, kObject);
}

bool ObjectReader::has(std::string_view key) {
  return optional(key).has_value();
}

std::optional<ValueReader> ObjectReader::optional(std::string_view key) {
  if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) asked_.emplace_back(key);
  if (!self_.json().is_object()) return std::nullopt;
  const JsonValue* const value = self_.json().find(key);
  if (value == nullptr) return std::nullopt;
  return ValueReader(*value, pointer_of(key), self_.diagnostics());
}

std::string ObjectReader::pointer_of(std::string_view key) const {
  return self_.pointer() + '/' + pointer_token(key);
}

std::optional<ValueReader> ObjectReader::required(std::string_view key, std::string allowed) {
  std::optional<ValueReader> value = optional(key);
  if (!value && self_.json().is_object() && !self_.json().incomplete()) {
    error(key, "missing-key", "key \"" + std::string(key) + "\" is missing", std::move(allowed));
  }
  return value;
}

std::int64_t ObjectReader::integer(std::string_view key, IntegerRange range,
                                   std::optional<std::int64_t> fallback) {
  const std::int64_t harmless =
      fallback.value_or(std::clamp<std::int64_t>(1, range.low, range.high));
  const std::optional<ValueReader> value =
      fallback ? optional(key) : required(key, allowed_text(range));
  return value ? value->integer(range, harmless) : harmless;
}

double ObjectReader::number(std::string_view key, NumberRange range,
                            std::optional<double> fallback) {
  const double harmless = fallback.value_or(std::clamp(1.0, range.low, range.high));
  const std::optional<ValueReader> value =
      fallback ? optional(key) : required(key, allowed_text(range));
  return value ? value->number(range, harmless) : harmless;
}

bool ObjectReader::boolean(std::string_view key, std::optional<bool> fallback) {
  const std::optional<ValueReader> value = fallback ? optional(key) : required(key, kBooleans);
  return value ? value->boolean() : fallback.value_or(false);
}

std::string ObjectReader::string(std::string_view key, std::optional<std::string> fallback) {
  const std::optional<ValueReader> value = fallback ? optional(key) : required(key, kString);
  return value ? value->string() : std::move(fallback).value_or(std::string());
}

std::optional<ObjectReader> ObjectReader::object(std::string_view key) {
  const std::optional<ValueReader> value = required(key, kObject);
  if (!value) return std::nullopt;
  return ObjectReader(*value);
}

std::optional<ObjectReader> ObjectReader::optional_object(std::string_view key) {
  const std::optional<ValueReader> value = optional(key);
  if (!value) return std::nullopt;
  return ObjectReader(*value);
}

std::vector<ValueReader> ObjectReader::array(std::string_view key) {
  const std::optional<ValueReader> value = required(key, kArray);
  return value ? value->array() : std::vector<ValueReader>();
}

std::vector<ValueReader> ObjectReader::optional_array(std::string_view key) {
  const std::optional<ValueReader> value = optional(key);
  return value ? value->array() : std::vector<ValueReader>();
}

void ObjectReader::error(std::string_view key, std::string code, std::string message,
                         std::string allowed) {
  const std::optional<ValueReader> value = optional(key);
  const ValueReader place =
      value ? *value : ValueReader(self_.json(), pointer_of(key), self_.diagnostics());
  place.error(std::move(code), std::move(message), std::move(allowed));
}

void ObjectReader::finish() {
  if (!self_.json().is_object()) return;
  for (const auto& [key, value] : self_.members()) {
    if (std::find(asked_.begin(), asked_.end(), key) != asked_.end()) continue;
    value.error("unknown-key", "unknown key \"" + key + "\"" + hint(key, asked_),
                asked_.empty() ? "no keys" : one_of(asked_));
  }
}

}  // namespace npusim::base
