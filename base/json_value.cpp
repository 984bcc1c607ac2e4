// SPDX-License-Identifier: Apache-2.0
#include "base/json_value.h"

#include <cmath>

namespace npusim::base {

JsonValue JsonValue::make_bool(bool value) {
  JsonValue result;
  result.kind_ = Kind::boolean;
  result.boolean_ = value;
  return result;
}

JsonValue JsonValue::make_integer(std::int64_t value) {
  JsonValue result;
  result.kind_ = Kind::integer;
  result.integer_ = value;
  return result;
}

JsonValue JsonValue::make_real(double value) {
  JsonValue result;
  if (!std::isfinite(value)) return result;
  result.kind_ = Kind::real;
  result.real_ = value;
  return result;
}

JsonValue JsonValue::make_string(std::string value) {
  JsonValue result;
  result.kind_ = Kind::string;
  result.string_ = std::move(value);
  return result;
}

JsonValue JsonValue::make_array() {
  JsonValue result;
  result.kind_ = Kind::array;
  return result;
}

JsonValue JsonValue::make_object() {
  JsonValue result;
  result.kind_ = Kind::object;
  return result;
}

bool JsonValue::boolean() const {
  NPUSIM_CHECK(kind_ == Kind::boolean, "JSON value is no boolean");
  return boolean_;
}

std::int64_t JsonValue::integer() const {
  NPUSIM_CHECK(kind_ == Kind::integer, "JSON value is no integer");
  return integer_;
}

double JsonValue::number() const {
  NPUSIM_CHECK(is_number(), "JSON value is no number");
  return kind_ == Kind::integer ? static_cast<double>(integer_) : real_;
}

const std::string& JsonValue::string() const {
  NPUSIM_CHECK(kind_ == Kind::string, "JSON value is no string");
  return string_;
}

const std::vector<JsonValue>& JsonValue::items() const {
  NPUSIM_CHECK(kind_ == Kind::array, "JSON value is no array");
  return items_;
}

std::vector<JsonValue>& JsonValue::items() {
  NPUSIM_CHECK(kind_ == Kind::array, "JSON value is no array");
  return items_;
}

const std::vector<JsonValue::Member>& JsonValue::members() const {
  NPUSIM_CHECK(kind_ == Kind::object, "JSON value is no object");
  return members_;
}

std::vector<JsonValue::Member>& JsonValue::members() {
  NPUSIM_CHECK(kind_ == Kind::object, "JSON value is no object");
  return members_;
}

const JsonValue* JsonValue::find(std::string_view key) const {
  for (const Member& member : members()) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

JsonValue* JsonValue::find(std::string_view key) {
  for (Member& member : members()) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

JsonValue& JsonValue::set(std::string key, JsonValue value) {
  if (JsonValue* old = find(key)) {
    *old = std::move(value);
    return *old;
  }
  members_.emplace_back(std::move(key), std::move(value));
  return members_.back().second;
}

void JsonValue::push_back(JsonValue value) {
  items().push_back(std::move(value));
}

const char* kind_name(JsonValue::Kind kind) {
  switch (kind) {
    case JsonValue::Kind::null:
      return "null";
    case JsonValue::Kind::boolean:
      return "a boolean";
    case JsonValue::Kind::integer:
      return "an integer";
    case JsonValue::Kind::real:
      return "a number";
    case JsonValue::Kind::string:
      return "a string";
    case JsonValue::Kind::array:
      return "an array";
    case JsonValue::Kind::object:
      return "an object";
  }
  return "a value";
}

std::string pointer_token(std::string_view key) {
  std::string token;
  for (const char c : key) {
    if (c == '~') {
      token += "~0";
    } else if (c == '/') {
      token += "~1";
    } else {
      token += c;
    }
  }
  return token;
}

}  // namespace npusim::base
