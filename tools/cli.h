// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace npusim::tools {

/// Parses the arguments and runs the command they name; returns the exit code. Help and usage
/// errors are printed here; what commands throw passes through.
int run_command_line(int argc, char** argv);

}  // namespace npusim::tools
