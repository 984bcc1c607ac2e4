// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <algorithm>

namespace npusim::base {
namespace {

std::string join_lines(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (!text.empty()) text += '\n';
    text += to_string(diagnostic);
  }
  return text;
}

Diagnostic placeless(const std::string& message, const std::string& code) {
  Diagnostic diagnostic;
  diagnostic.code = code;
  diagnostic.message = message;
  return diagnostic;
}

}  // namespace

std::string to_string(const Diagnostic& diagnostic) {
  std::string text;
  if (!diagnostic.file.empty()) {
    text += diagnostic.file + ':';
    if (diagnostic.line > 0) {
      text += std::to_string(diagnostic.line) + ':' + std::to_string(diagnostic.column) + ':';
    }
    text += ' ';
  }
  if (!diagnostic.pointer.empty()) text += diagnostic.pointer + ": ";
  text += diagnostic.message;
  if (!diagnostic.allowed.empty()) text += "; allowed: " + diagnostic.allowed;
  return text;
}

InputError::InputError(std::vector<Diagnostic> diagnostics)
    : std::runtime_error(join_lines(diagnostics)), diagnostics_(std::move(diagnostics)) {}

InputError::InputError(const std::string& message, const std::string& code)
    : std::runtime_error(message), diagnostics_{placeless(message, code)} {}

bool Diagnostics::spoilt(std::string_view pointer) const {
  return std::any_of(items_.begin(), items_.end(), [&](const Diagnostic& item) {
    return item.code != "unknown-key" && item.code != "duplicate-key" &&
           item.pointer.compare(0, pointer.size(), pointer) == 0;
  });
}

void Diagnostics::throw_if_any() const {
  if (!items_.empty()) throw InputError(items_);
}

void fail_check(const char* condition, const char* file, int line, const std::string& why) {
  throw InternalError(std::string(file) + ':' + std::to_string(line) + ": " + why + " (" +
                      condition + " does not hold)");
}

}  // namespace npusim::base
