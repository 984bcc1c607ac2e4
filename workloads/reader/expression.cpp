// SPDX-License-Identifier: Apache-2.0
#include "workloads/reader/expression.h"

#include <fmt/format.h>

#include <cctype>
#include <limits>

#include "base/error.h"

namespace npusim::workloads {
namespace {

constexpr int kMaxDepth = 64;  // a hostile file must not exhaust the stack

/// An expression as it may stand in a message.
std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  return "\"" + std::string(text.substr(0, kLongest)) + (text.size() > kLongest ? "...\"" : "\"");
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// expression = term {(+|-) term}; term = factor {(*|/) factor}; factor = -factor | (expression) |
/// integer | name.
class Evaluator {
 public:
  Evaluator(std::string_view text, Parameters& parameters) : text_(text), parameters_(parameters) {}

  std::int64_t run() {
    const std::int64_t value = expression();
    if (at_ < text_.size()) fail(fmt::format("unexpected '{}'", text_[at_]));
    return value;
  }

 private:
  std::int64_t expression() {
    std::int64_t value = term();
    for (;;) {
      if (accept('+'))
        check(!__builtin_add_overflow(value, term(), &value));
      else if (accept('-'))
        check(!__builtin_sub_overflow(value, term(), &value));
      else
        return value;
    }
  }

  std::int64_t term() {
    std::int64_t value = factor();
    for (;;) {
      if (accept('*'))
        check(!__builtin_mul_overflow(value, factor(), &value));
      else if (accept('/'))
        value = divide(value, factor());
      else
        return value;
    }
  }

  std::int64_t factor() {
    if (++depth_ > kMaxDepth) fail("nested too deeply");
    std::int64_t value = 0;
    if (accept('-')) {
      check(!__builtin_sub_overflow(std::int64_t{0}, factor(), &value));
    } else if (accept('(')) {
      value = expression();
      if (!accept(')')) fail("')' is missing");
    } else {
      value = word();
    }
    --depth_;
    return value;
  }

  std::int64_t word() {
    skip_spaces();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    if (word.empty())
      fail(at_ < text_.size() ? fmt::format("unexpected '{}'", text_[at_])
                              : std::string("it ends too early"));
    if (is_digit(word.front())) return number(word);
    if (const std::int64_t* value = parameters_.use(std::string(word))) return *value;
    throw base::InputError(fmt::format("unknown parameter {} in {}", shown(word), shown(text_)),
                           "unknown-parameter");
  }

  std::int64_t number(std::string_view digits) {
    std::int64_t value = 0;
    for (const char c : digits) {
      if (!is_digit(c)) fail(shown(digits) + " is no integer");
      check(!__builtin_mul_overflow(value, std::int64_t{10}, &value) &&
            !__builtin_add_overflow(value, std::int64_t{c - '0'}, &value));
    }
    return value;
  }

  std::int64_t divide(std::int64_t a, std::int64_t b) {
    if (b == 0) throw base::InputError(shown(text_) + " divides by zero", "division");
    check(!(a == std::numeric_limits<std::int64_t>::min() && b == -1));
    if (a % b != 0)
      throw base::InputError(fmt::format("{}: {} / {} leaves a remainder", shown(text_), a, b),
                             "division");
    return a / b;
  }

  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  bool accept(char c) {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    skip_spaces();
    return true;
  }

  void check(bool fits) const {
    if (!fits) throw base::InputError(shown(text_) + " exceeds 64 bits", "overflow");
  }

  [[noreturn]] void fail(const std::string& why) const {
    throw base::InputError(fmt::format("bad expression {}: {}", shown(text_), why),
                           "bad-expression");
  }

  std::string_view text_;
  Parameters& parameters_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

const std::int64_t* Parameters::use(const std::string& name) {
  const auto found = values_.find(name);
  if (found == values_.end()) return outer_ == nullptr ? nullptr : outer_->use(name);
  used_.insert(name);
  return &found->second;
}

std::string Parameters::known() const {
  std::string names;
  for (const Parameters* scope = this; scope != nullptr; scope = scope->outer_)
    for (const auto& entry : scope->values_) names += (names.empty() ? "" : ", ") + entry.first;
  return names.empty() ? "none" : names;
}

std::int64_t evaluate(std::string_view text, Parameters& parameters) {
  return Evaluator(text, parameters).run();
}

bool is_parameter_name(std::string_view text) {
  if (text.empty() || is_digit(text.front())) return false;
  for (const char c : text)
    if (!is_word(c)) return false;
  return true;
}

}  // namespace npusim::workloads
