// SPDX-License-Identifier: Apache-2.0
// Strict reading of JSON objects into plain structs. Every read names its key, range and default,
// so a key nobody asked for is an error (with a did-you-mean), as are wrong types, 3.7 for an
// integer, values out of range and misspelt choices. Errors are collected; reading goes on with a
// harmless fallback so that one pass reports every mistake of a file.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json_value.h"

namespace npusim::base {

struct IntegerRange {
  std::int64_t low = std::numeric_limits<std::int64_t>::min();
  std::int64_t high = std::numeric_limits<std::int64_t>::max();
};
inline constexpr IntegerRange kPositive{1, std::int64_t{1} << 40};
inline constexpr IntegerRange kNonNegative{0, std::int64_t{1} << 40};

struct NumberRange {
  double low = -std::numeric_limits<double>::max();
  double high = std::numeric_limits<double>::max();
  bool low_open = false;  ///< the low end itself is not allowed
};
inline constexpr NumberRange kPositiveNumber{0.0, 1e30, true};
inline constexpr NumberRange kNonNegativeNumber{0.0, 1e30, false};

/// "an integer from 1 to 8", for messages.
std::string allowed_text(IntegerRange range);

/// "a, b, c": the names as a message lists them.
std::string one_of(const std::vector<std::string>& names);

/// Nearest of the candidates by edit distance, or "" when none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// A value together with its pointer: what array elements and free-form members are read through.
class ValueReader {
 public:
  ValueReader(const JsonValue& value, std::string pointer, Diagnostics& diagnostics)
      : value_(&value), pointer_(std::move(pointer)), diagnostics_(&diagnostics) {}

  const JsonValue& json() const { return *value_; }
  const std::string& pointer() const { return pointer_; }
  Diagnostics& diagnostics() const { return *diagnostics_; }
  /// Reports a mistake at this value.
  void error(std::string code, std::string message, std::string allowed) const;

  std::int64_t integer(IntegerRange range = {}, std::int64_t fallback = 1) const;
  double number(NumberRange range = {}, double fallback = 1.0) const;
  bool boolean() const;
  std::string string() const;
  /// Index into `names`; an unknown name is an error that lists them. Fallback: 0.
  std::size_t choice(const std::vector<std::string>& names) const;
  std::vector<ValueReader> array() const;  ///< an error and empty when it is not an array
  std::vector<std::pair<std::string, ValueReader>> members()
      const;  ///< of an object with free keys

 private:
  const JsonValue* value_;
  std::string pointer_;
  Diagnostics* diagnostics_;
};

/// Reads one object with a fixed set of keys. Call finish() when all keys were asked for.
class ObjectReader {
 public:
  explicit ObjectReader(const ValueReader& value);

  bool has(std::string_view key);
  const ValueReader& self() const { return self_; }

  /// The value of a key: required() reports a missing key, at the place it would have, and then
  /// returns nullopt; `allowed` says what it would hold.
  std::optional<ValueReader> required(std::string_view key, std::string allowed);
  std::optional<ValueReader> optional(std::string_view key);

  // Required when no default is given.
  std::int64_t integer(std::string_view key, IntegerRange range,
                       std::optional<std::int64_t> fallback = std::nullopt);
  double number(std::string_view key, NumberRange range,
                std::optional<double> fallback = std::nullopt);
  bool boolean(std::string_view key, std::optional<bool> fallback = std::nullopt);
  std::string string(std::string_view key, std::optional<std::string> fallback = std::nullopt);
  /// Enumerators by name: `reader.choice<Tail>("tail", {{"pad", Tail::pad}, ...}, Tail::pad)`.
  template <class E>
  E choice(std::string_view key, const std::vector<std::pair<std::string, E>>& table,
           std::optional<E> fallback = std::nullopt) {
    std::vector<std::string> names;
    for (const auto& entry : table) names.push_back(entry.first);
    const std::optional<ValueReader> value =
        fallback ? optional(key) : required(key, one_of(names));
    if (!value) return fallback.value_or(table.front().second);
    return table[value->choice(names)].second;
  }
  std::optional<ObjectReader> object(std::string_view key);  ///< required
  std::optional<ObjectReader> optional_object(std::string_view key);
  std::vector<ValueReader> array(std::string_view key);  ///< required
  std::vector<ValueReader> optional_array(std::string_view key);

  /// Reports a mistake at the key's value, or where it would stand.
  void error(std::string_view key, std::string code, std::string message, std::string allowed);

  /// Reports every key that was never asked for.
  void finish();

 private:
  std::string pointer_of(std::string_view key) const;

  ValueReader self_;
  std::vector<std::string> asked_;
};

}  // namespace npusim::base
