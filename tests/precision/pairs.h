// SPDX-License-Identifier: Apache-2.0
// Every pair of codes of a small format: sum, product and fused c + a*b rounded once, against the
// look-up reference.
#pragma once

#include <cstdint>
#include <vector>

#include "precision/rounding.h"
#include "rules.h"

namespace npusim::precision::pairs {

/// All pairs in every deterministic mode, and stochastic rounding with one pseudo-random word a
/// pair; for fused sums c runs over every `c_step`-th code.
rules::Disagreements compare(const Format& operand, const Format& result, std::uint64_t c_step);

}  // namespace npusim::precision::pairs
