// SPDX-License-Identifier: Apache-2.0
// Patterns over the pointers of a run's metrics: `*` matches one token, `**` any number of them.
#pragma once

#include <string>

namespace npusim::sim {

/// A token `*` of the pointer stands for a name that only a run knows: every pattern token fits it.
bool metric_matches(const std::string& pattern, const std::string& pointer);

}  // namespace npusim::sim
