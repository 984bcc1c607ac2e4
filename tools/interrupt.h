// SPDX-License-Identifier: Apache-2.0
// Ctrl-C in commands that can stop early and keep what they have. The first SIGINT or SIGTERM sets
// a flag that the run polls; the second one ends the process at once with exit code 130.
#pragma once

namespace npusim::tools {

/// Installs the handlers. Commands that never poll leave the default (the signal ends them).
void catch_interrupts();
bool interrupted();

/// Unwinds a command whose unfinished output is to disappear; it returns kInterrupted.
struct Interrupted {};
void stop_if_interrupted();

}  // namespace npusim::tools
