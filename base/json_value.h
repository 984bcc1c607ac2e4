// SPDX-License-Identifier: Apache-2.0
// A JSON document as a value tree in which every value knows where it was written. Member order is
// kept; duplicate keys, NaN/Infinity literals, numbers beyond int64/double and nesting deeper than
// kMaxJsonDepth are errors at parse time. The lexer is nlohmann/json's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace npusim::base {

inline constexpr int kMaxJsonDepth = 64;

/// Where a value was written: a file, or an override such as "--set npu.clock_mhz=500".
struct Origin {
  std::shared_ptr<const std::string> file;
  int line = 0;
  int column = 0;
};

class JsonValue {
 public:
  enum class Kind { null, boolean, integer, real, string, array, object };
  using Member = std::pair<std::string, JsonValue>;

  JsonValue() = default;
  static JsonValue make_null() { return {}; }
  static JsonValue make_bool(bool value);
  static JsonValue make_integer(std::int64_t value);
  static JsonValue make_real(double value);  ///< non-finite becomes null (JSON has no NaN)
  static JsonValue make_string(std::string value);
  static JsonValue make_array();
  static JsonValue make_object();

  Kind kind() const { return kind_; }
  bool is_object() const { return kind_ == Kind::object; }
  bool is_array() const { return kind_ == Kind::array; }
  bool is_string() const { return kind_ == Kind::string; }
  bool is_number() const { return kind_ == Kind::integer || kind_ == Kind::real; }

  // Each accessor checks the kind (InternalError otherwise): readers test it first.
  bool boolean() const;
  std::int64_t integer() const;
  double number() const;  ///< integer or real
  const std::string& string() const;
  const std::vector<JsonValue>& items() const;
  std::vector<JsonValue>& items();
  const std::vector<Member>& members() const;
  std::vector<Member>& members();

  /// The member of an object, or nullptr.
  const JsonValue* find(std::string_view key) const;
  JsonValue* find(std::string_view key);
  /// Adds or replaces a member; returns the stored value. For writers: `v.set("cycles", 3)`.
  JsonValue& set(std::string key, JsonValue value);
  JsonValue& set(std::string key, std::int64_t value) {
    return set(std::move(key), make_integer(value));
  }
  JsonValue& set(std::string key, int value) { return set(std::move(key), make_integer(value)); }
  JsonValue& set(std::string key, double value) { return set(std::move(key), make_real(value)); }
  JsonValue& set(std::string key, bool value) { return set(std::move(key), make_bool(value)); }
  JsonValue& set(std::string key, const char* value) {
    return set(std::move(key), make_string(value));
  }
  JsonValue& set(std::string key, std::string value) {
    return set(std::move(key), make_string(std::move(value)));
  }
  void push_back(JsonValue value);

  const Origin& origin() const { return origin_; }
  void set_origin(Origin origin) { origin_ = std::move(origin); }

  /// A stand-in for what could not be read: its mistake is told already, readers add none.
  bool told() const { return told_; }
  void set_told() { told_ = true; }
  /// An object whose inherited members could not be read: a key that is missing is no mistake.
  bool incomplete() const { return incomplete_; }
  void set_incomplete() { incomplete_ = true; }

 private:
  Kind kind_ = Kind::null;
  bool boolean_ = false;
  std::int64_t integer_ = 0;
  double real_ = 0.0;
  std::string string_;
  std::vector<JsonValue> items_;
  std::vector<Member> members_;
  Origin origin_;
  bool told_ = false;
  bool incomplete_ = false;
};

/// "an integer", "a string", ... for messages.
const char* kind_name(JsonValue::Kind kind);

/// Parses a whole document. Throws InputError with file, line and column.
JsonValue parse_json(std::string_view text, const std::string& file_name);
JsonValue parse_json_file(const std::string& path);
/// The same, but mistakes that leave the text readable are added to `diagnostics`: of a duplicate
/// key the first value stays, a number beyond int64 becomes a value that is told(). Throws the
/// rest.
JsonValue parse_json(std::string_view text, const std::string& file_name, Diagnostics& diagnostics);
JsonValue parse_json_file(const std::string& path, Diagnostics& diagnostics);

/// indent < 0: one line. Doubles print the shortest text that reads back to the same bits; a real
/// value always prints with '.' or exponent, an integer never. A trailing newline is not added.
std::string dump_json(const JsonValue& value, int indent = 2);

/// RFC 6901 escaping of one reference token.
std::string pointer_token(std::string_view key);

}  // namespace npusim::base
