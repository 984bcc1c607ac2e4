// SPDX-License-Identifier: Apache-2.0
#include "precision/rounding.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace npusim::precision {
namespace {

std::uint64_t bits_of(double x) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

double from_bits(std::uint64_t bits) {
  double x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// Of a magnitude m + rest (0 <= rest < 1, given as halves: below, at, above one half), should m go
/// up?
bool goes_up(std::uint64_t m, bool exact, int against_half, bool negative, Rounding rounding) {
  if (exact) return false;
  switch (rounding) {
    case Rounding::rne:
      return against_half > 0 || (against_half == 0 && (m & 1) != 0);
    case Rounding::rna:
      return against_half >= 0;
    case Rounding::rtz:
      return false;
    case Rounding::ru:
      return !negative;
    case Rounding::rd:
      return negative;
    case Rounding::odd:
      return (m & 1) == 0;
  }
  return false;
}

/// IEEE 754 §7.4: which directions carry an overflow to infinity.
bool overflows_to_infinity(bool negative, Rounding rounding) {
  switch (rounding) {
    case Rounding::rne:
    case Rounding::rna:
      return true;
    case Rounding::ru:
      return !negative;
    case Rounding::rd:
      return negative;
    case Rounding::rtz:
    case Rounding::odd:
      return false;
  }
  return true;
}

double with_sign(double magnitude, bool negative) {
  return negative ? -magnitude : magnitude;
}

double infinity_of(const Format& format, bool negative) {
  const bool has = format.non_finite == NonFinite::ieee && format.overflow == Overflow::infinity;
  return with_sign(has ? std::numeric_limits<double>::infinity() : format.max_finite(), negative);
}

}  // namespace

const std::vector<std::string>& rounding_names() {
  static const std::vector<std::string> names = {"rne", "rna", "rtz", "ru", "rd", "odd"};
  return names;
}

Rounding rounding_from_name(std::string_view name) {
  const std::vector<std::string>& names = rounding_names();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<Rounding>(i);
  throw std::invalid_argument("unknown rounding \"" + std::string(name) +
                              "\": known are rne, rna, rtz, ru, rd, odd");
}

const char* name_of(Rounding rounding) {
  return rounding_names()[static_cast<std::size_t>(rounding)].c_str();
}

double round_to(double x, const Format& format, Rounding rounding) {
  const bool negative = std::signbit(x);
  if (std::isnan(x))
    return format.non_finite == NonFinite::ieee ? std::numeric_limits<double>::quiet_NaN() : 0.0;
  if (std::isinf(x)) return infinity_of(format, negative);
  if (x == 0.0) return x;

  // |x| = significand * 2^exponent with a 53-bit significand; normalised for subnormal doubles too.
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(x), &exponent);
  const auto significand = static_cast<std::uint64_t>(std::ldexp(fraction, 53));
  exponent -= 53;

  // The spacing of the format around |x|: that of the subnormals below the smallest normal number.
  const int leading = exponent + 52;
  const int quantum = std::max(leading, format.min_exponent()) - format.fraction_bits;
  const int drop = quantum - exponent;  // low bits of the significand that the format cannot hold
  std::uint64_t kept = significand;
  bool exact = true;
  int against_half = -1;
  if (drop > 0 && drop <= 54) {
    const std::uint64_t rest = significand & ((std::uint64_t{1} << drop) - 1);
    const std::uint64_t half = std::uint64_t{1} << (drop - 1);
    kept = drop > 53 ? 0 : significand >> drop;
    exact = rest == 0;
    against_half = rest == half ? 0 : (rest > half ? 1 : -1);
  } else if (drop > 54) {
    kept = 0;
    exact = false;
  }
  if (goes_up(kept, exact, against_half, negative, rounding)) ++kept;
  const double magnitude = drop > 0 ? std::ldexp(static_cast<double>(kept), quantum) : std::fabs(x);

  if (magnitude > format.max_finite()) {
    return overflows_to_infinity(negative, rounding) ? infinity_of(format, negative)
                                                     : with_sign(format.max_finite(), negative);
  }
  if (format.subnormals == Subnormals::flush && magnitude < format.min_normal())
    return with_sign(0.0, negative);
  return with_sign(magnitude, negative);
}

bool representable(double x, const Format& format) {
  if (std::isnan(x)) return format.non_finite == NonFinite::ieee;
  return round_to(x, format, Rounding::rtz) == x;
}

double odd_sum(double x, double y) {
  const double sum = x + y;
  if (!std::isfinite(sum)) {
    // The largest finite number is odd: a finite sum beyond binary64 rounds to it.
    const bool overflow = std::isinf(sum) && std::isfinite(x) && std::isfinite(y);
    return overflow ? std::copysign(std::numeric_limits<double>::max(), sum) : sum;
  }
  // TwoSum (Knuth): error is what the rounded sum misses, exactly.
  const double y_part = sum - x;
  const double error = (x - (sum - y_part)) + (y - y_part);
  if (error == 0.0 || (bits_of(sum) & 1) != 0) return sum;
  // An even inexact sum moves to its odd neighbour on the side of the error.
  const bool away_from_zero = (error > 0.0) == (sum > 0.0);
  return from_bits(bits_of(sum) + (away_from_zero ? 1 : std::uint64_t{0} - 1));
}

}  // namespace npusim::precision
