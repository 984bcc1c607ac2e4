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

/// A magnitude m + rest, 0 <= rest < 1 in units of the last place.
struct Split {
  std::uint64_t kept;
  bool exact;         ///< rest is zero
  int against_half;   ///< rest below, at, above one half: -1, 0, 1
  bool low_bit;       ///< of the code: what "even" means
  bool random_carry;  ///< the first random_bits bits of rest and as many random ones reach 1
};

/// Splits significand * 2^-drop.
Split split(std::uint64_t significand, int drop, int random_bits, std::uint32_t random) {
  Split s{significand, true, -1, (significand & 1) != 0, false};
  if (drop <= 0) return s;
  std::uint64_t first_bits = 0;  // floor(rest * 2^random_bits)
  if (drop <= 54) {
    const std::uint64_t rest = significand & ((std::uint64_t{1} << drop) - 1);
    const std::uint64_t half = std::uint64_t{1} << (drop - 1);
    s.kept = drop > 53 ? 0 : significand >> drop;
    s.exact = rest == 0;
    s.against_half = rest == half ? 0 : (rest > half ? 1 : -1);
    first_bits = drop > random_bits ? rest >> (drop - random_bits) : rest << (random_bits - drop);
  } else {
    s.kept = 0;
    s.exact = false;
    first_bits = drop - random_bits < 53 ? significand >> (drop - random_bits) : 0;
  }
  s.low_bit = (s.kept & 1) != 0;
  if (random_bits > 0)
    s.random_carry = ((first_bits + (random >> (32 - random_bits))) >> random_bits) != 0;
  return s;
}

/// Should the magnitude go up?
bool goes_up(const Split& s, bool negative, Rounding rounding) {
  if (s.exact) return false;
  switch (rounding) {
    case Rounding::rne:
      return s.against_half > 0 || (s.against_half == 0 && s.low_bit);
    case Rounding::rna:
      return s.against_half >= 0;
    case Rounding::rtz:
      return false;
    case Rounding::ru:
      return !negative;
    case Rounding::rd:
      return negative;
    case Rounding::odd:
      return !s.low_bit;
    case Rounding::sr:
      return s.random_carry;
  }
  return false;
}

/// IEEE 754 §7.4: which directions carry an overflow to infinity.
bool overflows_to_infinity(bool negative, Rounding rounding) {
  switch (rounding) {
    case Rounding::rne:
    case Rounding::rna:
    case Rounding::sr:
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

double largest_of(const Format& format, bool negative) {
  return negative ? format.lowest() : format.max_finite();
}

double nan_of(const Format& format) {
  return format.has_nan() && format.nan == NanResult::keep
             ? std::numeric_limits<double>::quiet_NaN()
             : 0.0;
}

double infinity_of(const Format& format, bool negative) {
  switch (format.overflow) {
    case Overflow::infinity:
    case Overflow::always_infinity:
      return with_sign(std::numeric_limits<double>::infinity(), negative);
    case Overflow::saturate:
      return largest_of(format, negative);
    case Overflow::nan:
      return nan_of(format);
  }
  return 0.0;
}

double overflowed(const Format& format, bool negative, Rounding rounding) {
  const bool to_infinity =
      format.overflow == Overflow::always_infinity || overflows_to_infinity(negative, rounding);
  return to_infinity ? infinity_of(format, negative) : largest_of(format, negative);
}

double zero_of(const Format& format, bool negative) {
  return with_sign(0.0, negative && format.has_negative_zero());
}

/// |x| = significand * 2^exponent with a 53-bit significand; normalised for subnormal doubles too.
struct Decoded {
  std::uint64_t significand;
  int exponent;
  int leading() const { return exponent + 52; }
};

Decoded decode(double x) {
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(x), &exponent);
  return {static_cast<std::uint64_t>(std::ldexp(fraction, 53)), exponent - 53};
}

/// How to round one value.
struct Mode {
  Rounding rounding;
  int random_bits;
  std::uint32_t random;
};

/// |x| rounded to a multiple of 2^quantum.
double rounded_magnitude(double x, int quantum, const Format& format, const Mode& mode) {
  const Decoded d = decode(x);
  const int drop = quantum - d.exponent;
  Split s = split(d.significand, drop, mode.random_bits, mode.random);
  // The last bit of a scale's code is that of its exponent.
  if (format.is_scale()) s.low_bit = ((quantum - format.min_exponent()) & 1) != 0;
  if (goes_up(s, std::signbit(x), mode.rounding)) ++s.kept;
  return drop > 0 ? std::ldexp(static_cast<double>(s.kept), quantum) : std::fabs(x);
}

double round_to_scale(double x, const Format& format, const Mode& mode) {
  if (x < 0.0) return nan_of(format);
  if (x <= format.min_normal()) return format.min_normal();
  const double magnitude = rounded_magnitude(x, decode(x).leading(), format, mode);
  return magnitude > format.max_finite() ? overflowed(format, false, mode.rounding) : magnitude;
}

bool is_flushed(double x, double magnitude, const Format& format, const Mode& mode) {
  switch (format.subnormals) {
    case Subnormals::keep:
      return false;
    case Subnormals::flush:
      return magnitude < format.min_normal();
    case Subnormals::flush_tiny_after:
      return rounded_magnitude(x, decode(x).leading() - format.fraction_bits, format, mode) <
             format.min_normal();
    case Subnormals::flush_tiny_before:
      return std::fabs(x) < format.min_normal();
  }
  return false;
}

double rounded(double x, const Format& format, const Mode& mode) {
  const bool negative = std::signbit(x);
  if (std::isnan(x)) return nan_of(format);
  if (std::isinf(x))
    return format.is_scale() && negative ? nan_of(format) : infinity_of(format, negative);
  if (format.is_scale()) return round_to_scale(x, format, mode);
  if (x == 0.0) return zero_of(format, negative);

  // The spacing of the format around |x|: that of the subnormals below the smallest normal number.
  const int quantum = std::max(decode(x).leading(), format.min_exponent()) - format.fraction_bits;
  const double magnitude = rounded_magnitude(x, quantum, format, mode);
  if (magnitude > std::fabs(largest_of(format, negative)))
    return overflowed(format, negative, mode.rounding);
  if (magnitude == 0.0 || is_flushed(x, magnitude, format, mode)) return zero_of(format, negative);
  return with_sign(magnitude, negative);
}

}  // namespace

const std::vector<std::string>& rounding_names() {
  static const std::vector<std::string> names = {"rne", "rna", "rtz", "ru", "rd", "odd", "sr"};
  return names;
}

const std::vector<std::string>& deterministic_rounding_names() {
  static const std::vector<std::string> names(rounding_names().begin(), rounding_names().end() - 1);
  return names;
}

Rounding rounding_from_name(std::string_view name) {
  const std::vector<std::string>& names = rounding_names();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<Rounding>(i);
  throw std::invalid_argument("unknown rounding \"" + std::string(name) +
                              "\": known are rne, rna, rtz, ru, rd, odd, sr");
}

const char* name_of(Rounding rounding) {
  return rounding_names()[static_cast<std::size_t>(rounding)].c_str();
}

void validate(const Arithmetic& arithmetic) {
  validate(arithmetic.format);
  const int bits = arithmetic.random_bits;
  std::string broken;
  if (arithmetic.rounding != Rounding::sr && bits != 0)
    broken = "random_bits goes with rounding sr only";
  if (arithmetic.rounding == Rounding::sr &&
      (bits < 1 || bits > 32 || arithmetic.format.precision() + bits > 52))
    broken = "sr takes 1..32 random_bits, with the significand at most 52 bits together";
  if (!broken.empty())
    throw std::invalid_argument("rounding to \"" + arithmetic.format.name + "\": " + broken);
}

double round_to(double x, const Arithmetic& a, std::uint32_t random) {
  return rounded(x, a.format, {a.rounding, a.random_bits, random});
}

double round_to(double x, const Format& format, Rounding rounding) {
  return rounded(x, format, {rounding, 0, 0});
}

double without_subnormals(double x, const Format& format) {
  const bool floating = !format.is_fixed_point() && !format.is_scale();
  return floating && std::fabs(x) < format.min_normal() ? with_sign(0.0, std::signbit(x)) : x;
}

bool representable(double x, const Format& format) {
  if (std::isnan(x)) return format.has_nan();
  if (std::isinf(x)) return format.has_infinity() && format.overflow != Overflow::saturate;
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
