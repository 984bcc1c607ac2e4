// SPDX-License-Identifier: Apache-2.0
#include "tools/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/whole_file.h"
#include "tools/options.h"

namespace npusim::tools {
namespace {

namespace fs = std::filesystem;

/// A device or pipe (/dev/null, a process substitution): written in place, whatever its folder
/// allows.
bool is_special(const std::string& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

void check_file(const std::string& path) {
  std::error_code ignored;
  if (is_special(path)) return;
  if (fs::is_directory(path, ignored))
    throw base::InputError(path + " is a folder, not a file to write", "unwritable-file");
  const fs::path parent = fs::path(path).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  if (!fs::is_directory(folder, ignored))
    throw base::InputError("cannot write " + path + ": the folder " + folder + " does not exist",
                           "missing-folder");
  if (access(folder.c_str(), W_OK) != 0)
    throw base::InputError("cannot write " + path + ": " + std::strerror(errno), "unwritable-file");
}

}  // namespace

void check_destinations(const std::vector<std::string>& destinations) {
  int to_stdout = 0;
  std::set<std::string> files;
  for (const std::string& destination : destinations) {
    if (destination.empty()) continue;
    std::error_code ignored;
    const std::string file = fs::weakly_canonical(destination, ignored).string();
    if (destination != kStdout && !is_special(destination) && !files.insert(file).second)
      throw UsageError("two outputs cannot go to the same file " + destination);
    if (destination == kStdout)
      ++to_stdout;
    else
      check_file(destination);
  }
  if (to_stdout > 1) throw UsageError("only one output can go to stdout (\"-\")");
}

void write_to(const std::string& destination, const std::string& text, bool quiet) {
  if (destination.empty()) return;
  if (destination == kStdout) {
    print(text);
    return;
  }
  base::write_whole_file(destination, text);
  if (!quiet) note("wrote " + destination);
}

void print(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0)
    throw base::InputError(std::string("cannot write to standard output: ") + std::strerror(errno),
                           "unwritable-file");
}

void note(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace npusim::tools
