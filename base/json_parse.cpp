// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/json_value.h"
#include "base/whole_file.h"

namespace npusim::base {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Finds where each token starts. nlohmann's SAX events carry no positions, but every token except
/// ',' and ':' makes exactly one event, so a cursor that skips one token an event stays in step; it
/// only ever walks over text that the lexer has accepted.
class TokenCursor {
 public:
  explicit TokenCursor(std::string_view text) : text_(text) {
    if (text_.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
      at_ = line_start_ = kByteOrderMark.size();
    }
  }

  void to_next_token() {
    while (at_ < text_.size() && is_gap(text_[at_])) step();
  }
  /// Goes to the next token or to `limit`, whichever comes first.
  void to_next_token(std::size_t limit) {
    while (at_ < limit && at_ < text_.size() && is_gap(text_[at_])) step();
  }
  void skip_mark() { ++at_; }  ///< one of []{}
  void skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    ++at_;
  }
  void skip_word() {
    while (at_ < text_.size() && !is_gap(text_[at_]) && text_[at_] != ']' && text_[at_] != '}')
      ++at_;
  }
  int line() const { return line_; }
  int column() const { return static_cast<int>(at_ - line_start_) + 1; }

 private:
  static bool is_gap(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ':';
  }
  void step() {
    if (text_[at_++] != '\n') return;
    ++line_;
    line_start_ = at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_start_ = 0;
  int line_ = 1;
};

/// Builds the tree from SAX events. A handler that returns false stops the parser.
class TreeBuilder {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  TreeBuilder(std::string_view text, const std::string& file_name, Diagnostics& diagnostics)
      : text_size_(text.size()),
        cursor_(text),
        file_(std::make_shared<const std::string>(file_name)),
        diagnostics_(diagnostics) {}

  bool null() { return word(JsonValue::make_null()); }
  bool boolean(bool value) { return word(JsonValue::make_bool(value)); }
  bool number_integer(number_integer_t value) { return word(JsonValue::make_integer(value)); }
  bool number_unsigned(number_unsigned_t value) {
    if (value > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max())) {
      return integer_too_large(std::to_string(value));
    }
    return word(JsonValue::make_integer(static_cast<std::int64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t& text) {
    if (text.find_first_of(".eE") == string_t::npos) return integer_too_large(text);
    return word(JsonValue::make_real(value));
  }
  bool string(string_t& value) {
    cursor_.to_next_token();
    place(JsonValue::make_string(std::move(value)));
    cursor_.skip_string();
    return true;
  }
  bool binary(binary_t&) { return false; }  // never called for text

  bool start_object(std::size_t) { return open(JsonValue::make_object()); }
  bool key(string_t& value) {
    cursor_.to_next_token();
    const bool first = keys_.back().insert(value).second;
    if (!first) {
      fail("duplicate-key", "key \"" + value + "\" appears twice in this object", "each key once",
           open_pointer() + '/' + pointer_token(value));
    }
    open_.back()->members().emplace_back(std::move(value), JsonValue());
    if (!first) open_.back()->members().back().second.set_told();
    cursor_.skip_string();
    return true;
  }
  bool end_object() { return close(); }
  bool start_array(std::size_t) { return open(JsonValue::make_array()); }
  bool end_array() { return close(); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) {
    // The lexer counts from 1 and has read the offending byte; at the end of input it counts one
    // more.
    cursor_.to_next_token(std::min(position > 0 ? position - 1 : 0, text_size_));
    std::string message = error.what();
    const std::size_t prefix = message.find("] ");
    if (prefix != std::string::npos) message.erase(0, prefix + 2);
    const std::size_t detail = message.find(": ");
    if (message.rfind("parse error at", 0) == 0 && detail != std::string::npos) {
      message.erase(0, detail + 2);
    }
    fatal_ = true;
    return fail("syntax", message, "JSON (RFC 8259)");
  }

  /// Throws when the text could not be read to its end.
  JsonValue take() {
    end_.throw_if_any();
    return std::move(root_);
  }

 private:
  /// Returns false.
  bool fail(const char* code, const std::string& message, std::string allowed,
            std::string pointer = {}) {
    Diagnostic diagnostic;
    diagnostic.pointer = std::move(pointer);
    diagnostic.allowed = std::move(allowed);
    diagnostic.file = *file_;
    diagnostic.line = cursor_.line();
    diagnostic.column = cursor_.column();
    diagnostic.code = code;
    diagnostic.message = message;
    (fatal_ ? end_ : diagnostics_).add(std::move(diagnostic));
    return false;
  }
  bool integer_too_large(const std::string& text) {
    cursor_.to_next_token();
    fail("out-of-range", "integer " + text + " does not fit into 64 bits",
         "an integer from -2^63 to 2^63 - 1", next_pointer());
    JsonValue stand_in = JsonValue::make_integer(0);
    stand_in.set_told();
    return word(std::move(stand_in));
  }

  /// The container that is open now: every one above it ends in its child.
  std::string open_pointer() const {
    std::string pointer;
    for (std::size_t i = 0; i + 1 < open_.size(); ++i) {
      const JsonValue& parent = *open_[i];
      pointer += '/' + (parent.is_object() ? pointer_token(parent.members().back().first)
                                           : std::to_string(parent.items().size() - 1));
    }
    return pointer;
  }
  /// The value that would be placed next.
  std::string next_pointer() const {
    if (open_.empty()) return {};
    const JsonValue& parent = *open_.back();
    return open_pointer() + '/' +
           (parent.is_object() ? pointer_token(parent.members().back().first)
                               : std::to_string(parent.items().size()));
  }

  /// Puts the value where it belongs; a second value of a key is dropped when its object closes.
  JsonValue& place(JsonValue value) {
    value.set_origin({file_, cursor_.line(), cursor_.column()});
    if (open_.empty()) {
      root_ = std::move(value);
      return root_;
    }
    JsonValue& parent = *open_.back();
    if (parent.is_object()) {
      JsonValue& member = parent.members().back().second;
      const bool dropped = member.told();
      member = std::move(value);
      if (dropped) repeated_.back().push_back(parent.members().size() - 1);
      return member;
    }
    parent.push_back(std::move(value));
    return parent.items().back();
  }
  bool word(JsonValue value) {
    cursor_.to_next_token();
    place(std::move(value));
    cursor_.skip_word();
    return true;
  }
  bool open(JsonValue container) {
    cursor_.to_next_token();
    if (open_.size() == static_cast<std::size_t>(kMaxJsonDepth)) {
      fatal_ = true;
      return fail("too-deep", "nested deeper than " + std::to_string(kMaxJsonDepth) + " levels",
                  "at most " + std::to_string(kMaxJsonDepth) + " levels", next_pointer());
    }
    open_.push_back(&place(std::move(container)));
    keys_.emplace_back();
    repeated_.emplace_back();
    cursor_.skip_mark();
    return true;
  }
  bool close() {
    cursor_.to_next_token();
    cursor_.skip_mark();
    drop_repeated();
    open_.pop_back();
    keys_.pop_back();
    repeated_.pop_back();
    return true;
  }
  void drop_repeated() {
    const std::vector<std::size_t>& repeated = repeated_.back();
    for (auto at = repeated.rbegin(); at != repeated.rend(); ++at) {
      auto& members = open_.back()->members();
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(*at));
    }
  }

  std::size_t text_size_;
  TokenCursor cursor_;
  std::shared_ptr<const std::string> file_;
  Diagnostics& diagnostics_;
  bool fatal_ = false;
  Diagnostics end_;  // what stopped the parser
  JsonValue root_;
  std::vector<JsonValue*> open_;  // a parent's vector does not grow while a child is open
  std::vector<std::unordered_set<std::string>> keys_;
  std::vector<std::vector<std::size_t>> repeated_;  // members to drop, per open container
};

/// nlohmann's lexer takes a NUL byte for the end of the text.
void refuse_nul(std::string_view text, const std::string& file_name) {
  const std::size_t at = text.find('\0');
  if (at == std::string_view::npos) return;
  const std::string_view before = text.substr(0, at);
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  Diagnostic diagnostic;
  diagnostic.file = file_name;
  diagnostic.line = 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  diagnostic.column = 1 + static_cast<int>(at - line_start);
  diagnostic.code = "syntax";
  diagnostic.message = "a NUL byte has no place in JSON";
  diagnostic.allowed = "JSON (RFC 8259)";
  throw InputError({diagnostic});
}

}  // namespace

JsonValue parse_json(std::string_view text, const std::string& file_name,
                     Diagnostics& diagnostics) {
  refuse_nul(text, file_name);
  TreeBuilder builder(text, file_name, diagnostics);
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

JsonValue parse_json(std::string_view text, const std::string& file_name) {
  Diagnostics diagnostics;
  JsonValue document;
  diagnostics.collect([&] { document = parse_json(text, file_name, diagnostics); });
  diagnostics.throw_if_any();
  return document;
}

JsonValue parse_json_file(const std::string& path, Diagnostics& diagnostics) {
  return parse_json(read_whole_file(path), path, diagnostics);
}

JsonValue parse_json_file(const std::string& path) {
  return parse_json(read_whole_file(path), path);
}

}  // namespace npusim::base
