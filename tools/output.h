// SPDX-License-Identifier: Apache-2.0
// Where results go: data to stdout or to files that appear whole, narration to stderr.
#pragma once

#include <string>
#include <vector>

namespace npusim::tools {

inline constexpr const char* kStdout = "-";

/// Before any work: UsageError when two of them are stdout, base::InputError when a folder does not
/// exist or cannot be written, so that an hour's run does not fail at its last line. "" is skipped.
void check_destinations(const std::vector<std::string>& destinations);

/// Stdout for "-", a whole file otherwise (named on stderr unless quiet); "" does nothing.
void write_to(const std::string& destination, const std::string& text, bool quiet);

/// To stdout; base::InputError when it cannot be written (a full disk behind a redirection).
void print(const std::string& text);

/// One line on stderr.
void note(const std::string& line);

}  // namespace npusim::tools
