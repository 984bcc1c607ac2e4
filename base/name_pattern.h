// SPDX-License-Identifier: Apache-2.0
// Patterns over names of ops, nodes and weights.
#pragma once

#include <string>

namespace npusim::base {

/// The whole name fits: * stands for any text, ? for any character, [...] for one of several, as in
/// fnmatch(3); nothing is escaped.
bool fits_pattern(const std::string& pattern, const std::string& name);

}  // namespace npusim::base
