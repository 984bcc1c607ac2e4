// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/json_value.h"

namespace npusim::base {
namespace {

bool is_plain(char c) {
  return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

/// Bytes that are not UTF-8 (a file name can hold them) become U+FFFD: the document stays valid.
void append_string(std::string& out, const std::string& text) {
  if (std::all_of(text.begin(), text.end(), is_plain)) {
    out.append(1, '"').append(text).append(1, '"');
    return;
  }
  out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// std::to_chars is exact and shortest by definition, in every locale.
void append_real(std::string& out, double value) {
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  NPUSIM_CHECK(error == std::errc(), "a double prints in 32 characters");
  const std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

class Dumper {
 public:
  explicit Dumper(int indent) : indent_(indent) {}

  void value(const JsonValue& json, int depth) {
    switch (json.kind()) {
      case JsonValue::Kind::null:
        out_ += "null";
        break;
      case JsonValue::Kind::boolean:
        out_ += json.boolean() ? "true" : "false";
        break;
      case JsonValue::Kind::integer:
        out_ += std::to_string(json.integer());
        break;
      case JsonValue::Kind::real:
        append_real(out_, json.number());
        break;
      case JsonValue::Kind::string:
        append_string(out_, json.string());
        break;
      case JsonValue::Kind::array:
        array(json, depth);
        break;
      case JsonValue::Kind::object:
        object(json, depth);
        break;
    }
  }
  std::string take() { return std::move(out_); }

 private:
  void new_line(int depth) {
    if (indent_ < 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(indent_) * static_cast<std::size_t>(depth), ' ');
  }
  void array(const JsonValue& json, int depth) {
    out_ += '[';
    bool first = true;
    for (const JsonValue& item : json.items()) {
      if (!first) out_ += ',';
      first = false;
      new_line(depth + 1);
      value(item, depth + 1);
    }
    if (!first) new_line(depth);
    out_ += ']';
  }
  void object(const JsonValue& json, int depth) {
    out_ += '{';
    bool first = true;
    for (const JsonValue::Member& member : json.members()) {
      if (!first) out_ += ',';
      first = false;
      new_line(depth + 1);
      append_string(out_, member.first);
      out_ += indent_ < 0 ? ":" : ": ";
      value(member.second, depth + 1);
    }
    if (!first) new_line(depth);
    out_ += '}';
  }

  int indent_;
  std::string out_;
};

}  // namespace

std::string dump_json(const JsonValue& value, int indent) {
  Dumper dumper(indent);
  dumper.value(value, 0);
  return dumper.take();
}

}  // namespace npusim::base
