// SPDX-License-Identifier: Apache-2.0
// The commands that README.md shows, run as they stand there.
#pragma once

#include <functional>
#include <string>

namespace npusim::cli_test {

/// Runs every `npusim ...` line of the README's ```sh blocks for which `chosen` holds, from a
/// folder that looks like the source tree; a line that does not exit with 0 fails the test. Returns
/// how many ran.
int run_readme_commands(const std::function<bool(const std::string&)>& chosen);

/// Validates every ```json block that is a config file, placed where its `extends` says. Returns
/// how many.
int validate_readme_files();

/// Runs whole networks: minutes in a debug build.
bool is_long(const std::string& command);

}  // namespace npusim::cli_test
