// SPDX-License-Identifier: Apache-2.0
// The errors this project throws. Libraries never print, exit or abort: the command line maps
// InputError to exit 3 and InternalError to exit 5.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::base {

/// One thing wrong in something the user gave us, with the place it stands.
struct Diagnostic {
  std::string file;     ///< as the user named it; empty when there is no file
  int line = 0;         ///< from 1; 0 means unknown (the whole file)
  int column = 0;       ///< from 1, in bytes
  std::string pointer;  ///< JSON pointer (RFC 6901) of the value, "" for the whole document
  std::string
      code;  ///< stable, short and kebab-case: "unknown-key", "wrong-type", "out-of-range", ...
  std::string message;  ///< what was wrong, naming the offending value
  std::string allowed;  ///< what would be right; may be empty
};

/// `file:line:col: /pointer: message; allowed: ...` (parts that are unknown are left out).
std::string to_string(const Diagnostic& diagnostic);

/// Something the user gave us (file, option, shape) is wrong. Carries every mistake found.
class InputError : public std::runtime_error {
 public:
  explicit InputError(std::vector<Diagnostic> diagnostics);
  /// One mistake without a place in a file.
  explicit InputError(const std::string& message, const std::string& code = "invalid-input");
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

/// A broken invariant of our own code.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Collects mistakes so that all of a file's errors are reported at once.
class Diagnostics {
 public:
  void add(Diagnostic diagnostic) { items_.push_back(std::move(diagnostic)); }
  bool empty() const { return items_.empty(); }
  const std::vector<Diagnostic>& items() const { return items_; }
  /// Runs one step and keeps the mistakes it throws; false when there were any.
  template <class Step>
  bool collect(const Step& step) {
    try {
      step();
      return true;
    } catch (const InputError& error) {
      items_.insert(items_.end(), error.diagnostics().begin(), error.diagnostics().end());
      return false;
    }
  }
  /// True when a mistake at or below `pointer` left a value unread or wrong, so that rules which
  /// combine values there would only repeat it. A key too many leaves all values readable.
  bool spoilt(std::string_view pointer = {}) const;
  /// Throws InputError with everything collected, or does nothing.
  void throw_if_any() const;

 private:
  std::vector<Diagnostic> items_;
};

[[noreturn]] void fail_check(const char* condition, const char* file, int line,
                             const std::string& why);

}  // namespace npusim::base

/// Active in every build type; throws InternalError.
#define NPUSIM_CHECK(condition, why) \
  ((condition) ? void(0) : ::npusim::base::fail_check(#condition, __FILE__, __LINE__, (why)))
