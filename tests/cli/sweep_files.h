// SPDX-License-Identifier: Apache-2.0
// Sweeps of the tiny NPU, for tests that run the binary.
#pragma once

#include <string>
#include <vector>

#include "tests/cli/child.h"

namespace npusim::cli_test {

/// A sweep of tiny_npu and tiny_mlp with these members more; its path.
std::string tiny_sweep(const TempFolder& folder, const std::string& members);
/// The axes of a grid of 48 points, some of which no config allows.
extern const char* const kGridOf48;

/// npusim sweep FILE --store STORE --csv CSV and what else is given.
std::vector<std::string> sweep_command(const std::string& file, const std::string& store,
                                       const std::string& csv,
                                       const std::vector<std::string>& more = {});

/// Interrupts a sweep that resumes at random moments, killing the process, a worker or both, until
/// `trials` such kills are done; after each, the store must hold every point that was reported
/// stored. Then lets it finish and compares its CSV with that of an undisturbed run.
void kill_at_random(int trials, std::uint64_t seed);

}  // namespace npusim::cli_test
