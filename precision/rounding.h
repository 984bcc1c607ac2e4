// SPDX-License-Identifier: Apache-2.0
// Rounding of a real number, given as a double, to a format. This scalar function defines the
// meaning of every rounding in the project; kernels are compared with it bit for bit.
//
// A double carries 53 bits. When the true value has more, callers pass it rounded to odd (see
// odd_sum): rounding that to a format of at most 51 significand bits equals rounding the true value
// (Boldo & Melquiond 2008, theorem 2), in every mode.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "precision/format.h"

namespace npusim::precision {

enum class Rounding {
  rne,  ///< to nearest, ties to even
  rna,  ///< to nearest, ties away from zero
  rtz,  ///< toward zero
  ru,   ///< toward +infinity
  rd,   ///< toward -infinity
  odd,  ///< exact values stay, others go to the neighbour whose last bit is one (never to infinity)
};

const std::vector<std::string>& rounding_names();
Rounding rounding_from_name(std::string_view name);  ///< std::invalid_argument
const char* name_of(Rounding rounding);

/// Format, rounding and input treatment of one place where hardware rounds.
struct Arithmetic {
  Format format;
  Rounding rounding = Rounding::rne;

  bool operator==(const Arithmetic& other) const {
    return format == other.format && rounding == other.rounding;
  }
};

/// x rounded to the format. NaN becomes the default quiet NaN (sign dropped), or zero when the
/// format has none; signed zero is kept; infinities follow the overflow rule. Flushing happens
/// after rounding: a result that rounds up to the smallest normal number survives.
double round_to(double x, const Format& format, Rounding rounding);
inline double round_to(double x, const Arithmetic& a) {
  return round_to(x, a.format, a.rounding);
}

/// True when x is a value of the format (signed zeros, infinities and NaN where it has them).
bool representable(double x, const Format& format);

/// x + y rounded to odd at 53 bits. Exact sums stay exact. Infinities and NaN as IEEE addition.
double odd_sum(double x, double y);

/// Rounds count values; in and out may be the same array. Same bits as round_to. For binary64
/// nothing changes.
void round_array(const double* in, double* out, long count, const Arithmetic& arithmetic);

}  // namespace npusim::precision
