// SPDX-License-Identifier: Apache-2.0
// Corner patterns crossed with corner patterns, as Berkeley TestFloat does: sums, products and
// fused c + a*b rounded once, against MPFR.
#pragma once

#include <cstdint>
#include <vector>

#include "precision/rounding.h"
#include "rules.h"

namespace npusim::precision::crossings {

/// Values whose exponents stand at the ends, in the middle and near one, with fractions of zeros,
/// ones, a single one, a single zero and runs of ones; zeros, infinities, NaN; both signs.
std::vector<double> corners(const Format& format);

/// `count` cases in every mode (sr with a few widths) into `result`. A case is one of
///   a + c, a * b, c + a*b with c a corner of the result format,
///   c + a*b with c near -a*b or a few places from the end of a*b (cancellation, ties).
rules::Disagreements compare(const Format& operand, const Format& result, std::uint64_t count,
                             std::uint64_t seed);

/// compare() for the format pairs of matrix units, `count` cases each on all cores.
std::vector<rules::Disagreements> compare_all(std::uint64_t count);

}  // namespace npusim::precision::crossings
