// SPDX-License-Identifier: Apache-2.0
// Inputs that hit the corners of a format: its values, the points halfway, and their neighbours.
#pragma once

#include <vector>

#include "precision/format.h"
#include "precision/rounding.h"

namespace npusim::precision::patterns {

extern const std::vector<Rounding> kRoundings;

/// Every non-negative finite value of a format of at most 16 bits, in ascending order, built from
/// its encodings, and one step more (the first number beyond the largest).
std::vector<double> magnitudes(const Format& format);

/// Around each of the values: itself, the point halfway to the next, and doubles just beside those;
/// all with both signs; infinities and NaN.
std::vector<double> around(const std::vector<double>& ascending);

/// A few dozen values of the format (small, large, subnormal, odd and even significands, zeros,
/// infinities), for crossing operands with one another.
std::vector<double> corners(const Format& format);

/// Variants of a format: every combination of overflow and subnormal rule.
std::vector<Format> variants(const Format& format);

}  // namespace npusim::precision::patterns
