// SPDX-License-Identifier: Apache-2.0
// Completion scripts for shells, made from the commands and options that the command line has.
#pragma once

#include <string>
#include <vector>

namespace npusim::tools {

struct CommandNames {
  std::string name, description;
  std::vector<std::string> options;  ///< "--json", "-v", ...
};

/// shell: bash, zsh or fish. Shipped names complete after --npu, --workload, --recipe, --scenario
/// and --unit; files anywhere else.
std::string completion_script(const std::string& shell, const std::vector<CommandNames>& commands);

}  // namespace npusim::tools
