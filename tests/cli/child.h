// SPDX-License-Identifier: Apache-2.0
// Runs the real binary as a user would and keeps what it said.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/json_value.h"

namespace npusim::cli_test {

struct Outcome {
  int exit_code = -1;  ///< 128 + signal when a signal ended it
  std::string out, err;
};

/// A folder that is removed with everything in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string path(const std::string& name = {}) const;
  /// Writes a file and returns its path.
  std::string write(const std::string& name, const std::string& text) const;
  std::vector<std::string> names() const;  ///< what is in it, sorted

 private:
  std::string path_;
};

/// A child that may still run.
class Child {
 public:
  Child(const std::vector<std::string>& command, const std::string& folder = "/",
        const std::vector<std::string>& environment = {});
  pid_t pid() const { return pid_; }
  Outcome wait();

 private:
  TempFolder streams_;
  pid_t pid_ = -1;
};

/// Any program, found through PATH.
Outcome run_program(const std::vector<std::string>& command, const std::string& folder = "/");
/// npusim with these arguments, from `folder` (anywhere but the source tree by default).
Outcome npusim(std::vector<std::string> arguments, const std::string& folder = "/");

std::string npusim_binary();
std::string data(const std::string& name);  ///< a file under tests/cli/data
std::string read_text(const std::string& path);
bool exists(const std::string& path);
bool contains(const std::string& text, const std::string& part);
std::vector<std::string> lines_of(const std::string& text);

/// The value at a JSON pointer; fails the test when there is none.
const base::JsonValue& at(const base::JsonValue& document, const std::string& pointer);

}  // namespace npusim::cli_test
