// SPDX-License-Identifier: Apache-2.0
// Rounding of a real number, given as a double, to a format. This scalar function defines the
// meaning of every rounding in the project; kernels are compared with it bit for bit.
//
// A double carries 53 bits. When the true value has more, callers pass it rounded to odd (see
// odd_sum): rounding that to a format of at most 51 significand bits equals rounding the true value
// (Boldo & Melquiond 2008, theorem 2), in every mode.
#pragma once

#include <cstdint>
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
  sr,   ///< stochastic: N random bits are added below the last place and the sum is truncated
};

const std::vector<std::string>& rounding_names();
const std::vector<std::string>& deterministic_rounding_names();  ///< all but sr
Rounding rounding_from_name(std::string_view name);              ///< std::invalid_argument
const char* name_of(Rounding rounding);

/// Format and rounding of one place where hardware rounds.
struct Arithmetic {
  Format format;
  Rounding rounding = Rounding::rne;
  int random_bits = 0;  ///< with sr: how many random bits decide, 1 .. 32; otherwise 0

  bool operator==(const Arithmetic& other) const {
    return format == other.format && rounding == other.rounding && random_bits == other.random_bits;
  }
};

/// Throws std::invalid_argument: the format's rules, and random bits that fit: with sr, 1..32 and
/// precision + random_bits <= 52, so that a sum rounded to odd still shows every bit that decides.
void validate(const Arithmetic& arithmetic);

/// x rounded to the format.
///   NaN: the default quiet NaN (sign dropped), or +0 when the format has none or drops it
///   zeros: keep their sign where the format has a negative zero
///   infinities: follow the overflow rule
///   fixed point: two's complement, so the most negative number has no positive twin
///   scales: zero becomes the smallest scale, negative values NaN; a tie goes to the even code
///   sr: of the discarded part, in units of the last place, the first random_bits bits count; the
///   magnitude goes up when they and the top random_bits bits of `random` add up to 1 or more. What
///   lies below those bits never rounds up: the bias of hardware with few random bits.
double round_to(double x, const Arithmetic& arithmetic, std::uint32_t random = 0);
/// The deterministic modes.
double round_to(double x, const Format& format, Rounding rounding);

/// What a machine that reads subnormals of the format as zeros of their sign (DAZ) sees. Fixed
/// point and scales have no subnormals.
double without_subnormals(double x, const Format& format);

/// True when x is a value of the format (signed zeros, infinities and NaN where it has them).
bool representable(double x, const Format& format);

/// x + y rounded to odd at 53 bits. Exact sums stay exact. Infinities and NaN as IEEE addition.
double odd_sum(double x, double y);

/// Rounds count values; in and out may be the same array. Same bits as round_to. For binary64
/// nothing changes.
void round_array(const double* in, double* out, long count, const Arithmetic& arithmetic);

}  // namespace npusim::precision
