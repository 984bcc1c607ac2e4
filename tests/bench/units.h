// SPDX-License-Identifier: Apache-2.0
// The MAC units that are timed: those of the shipped NPUs and the textbook chains.
#pragma once

#include <vector>

#include "precision/mac_unit.h"

namespace npusim::bench {

std::vector<precision::MacUnit> timed_units();

}  // namespace npusim::bench
