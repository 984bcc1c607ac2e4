// SPDX-License-Identifier: Apache-2.0
#include "oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace npusim::precision::oracle {
namespace {

/// Bits from the highest of x and y (one above, for a carry) down to the lowest.
mpfr_prec_t bits_of_sum(const mpfr_t x, const mpfr_t y) {
  if (!mpfr_regular_p(x) || !mpfr_regular_p(y)) return mpfr_get_prec(x) + mpfr_get_prec(y);
  const mpfr_exp_t top = std::max(mpfr_get_exp(x), mpfr_get_exp(y)) + 1;
  const mpfr_exp_t low =
      std::min(mpfr_get_exp(x) - mpfr_get_prec(x), mpfr_get_exp(y) - mpfr_get_prec(y));
  return top - low;
}

/// The neighbours of a magnitude in a format without an upper limit: at or below, at or above.
struct Neighbours {
  double below, above;
  int nearer;  ///< -1: below is nearer, 0: a tie, 1: above
  bool exact, below_is_odd;
  std::uint32_t words_up;  ///< floor of the rest in units of the last place times 2^random_bits
};

Neighbours neighbours_of(const mpfr_t magnitude, int fraction_bits, long least, int random_bits) {
  mpfr_t quantum, steps, rest;
  mpfr_inits2(mpfr_get_prec(magnitude) + 64, quantum, steps, rest, static_cast<mpfr_ptr>(nullptr));
  const long leading = mpfr_get_exp(magnitude) - 1;
  mpfr_set_ui_2exp(quantum, 1, std::max(leading, least) - fraction_bits, MPFR_RNDN);
  mpfr_div(steps, magnitude, quantum, MPFR_RNDN);  // a power of two: exact
  mpfr_frac(rest, steps, MPFR_RNDN);
  mpfr_floor(steps, steps);
  Neighbours n{};
  n.exact = mpfr_zero_p(rest) != 0;
  n.nearer = mpfr_cmp_d(rest, 0.5);
  n.nearer = n.nearer < 0 ? -1 : (n.nearer > 0 ? 1 : 0);
  n.below_is_odd = std::fmod(mpfr_get_d(steps, MPFR_RNDN), 2.0) != 0.0;  // below 2^53: exact
  mpfr_mul_2si(rest, rest, random_bits, MPFR_RNDN);
  n.words_up = static_cast<std::uint32_t>(mpfr_get_ui(rest, MPFR_RNDZ));
  mpfr_mul(rest, steps, quantum, MPFR_RNDN);
  n.below = mpfr_get_d(rest, MPFR_RNDN);
  mpfr_add_ui(steps, steps, 1, MPFR_RNDN);
  mpfr_mul(rest, steps, quantum, MPFR_RNDN);
  n.above = mpfr_get_d(rest, MPFR_RNDN);
  mpfr_clears(quantum, steps, rest, static_cast<mpfr_ptr>(nullptr));
  return n;
}

double choose(const Neighbours& n, bool negative, const Arithmetic& arithmetic,
              std::uint32_t random) {
  if (n.exact) return n.below;
  switch (arithmetic.rounding) {
    case Rounding::rne:
      if (n.nearer == 0) return n.below_is_odd ? n.above : n.below;
      return n.nearer < 0 ? n.below : n.above;
    case Rounding::rna:
      return n.nearer < 0 ? n.below : n.above;
    case Rounding::rtz:
      return n.below;
    case Rounding::ru:
      return negative ? n.below : n.above;
    case Rounding::rd:
      return negative ? n.above : n.below;
    case Rounding::odd:
      return n.below_is_odd ? n.below : n.above;
    case Rounding::sr: {
      const int bits = arithmetic.random_bits;
      const std::uint64_t sum = std::uint64_t{n.words_up} + (random >> (32 - bits));
      return sum >= std::uint64_t{1} << bits ? n.above : n.below;
    }
  }
  return n.below;
}

double largest_of(const Format& format) {
  const int top_ones = (1 << format.exponent_bits) - 1;
  const int top = (format.non_finite == NonFinite::ieee ? top_ones - 1 : top_ones) - format.bias;
  const double ulp = std::ldexp(1.0, -format.fraction_bits);
  return std::ldexp(2.0 - (format.non_finite == NonFinite::nan_only ? 2.0 * ulp : ulp), top);
}

double nan_of(const Format& format) {
  const bool kept = format.non_finite != NonFinite::none && format.nan == NanResult::keep;
  return kept ? std::numeric_limits<double>::quiet_NaN() : 0.0;
}

/// What a rounded magnitude beyond the largest number becomes (IEEE 754-2019, 7.4); infinities are
/// treated as those of a mode that does not round toward zero.
double overflowed(const Format& format, bool negative, Rounding rounding) {
  const double sign = negative ? -1.0 : 1.0;
  const bool toward_zero = rounding == Rounding::rtz || rounding == Rounding::odd ||
                           (rounding == Rounding::ru && negative) ||
                           (rounding == Rounding::rd && !negative);
  switch (format.overflow) {
    case Overflow::infinity:
      return sign * (toward_zero ? largest_of(format) : std::numeric_limits<double>::infinity());
    case Overflow::always_infinity:
      return sign * std::numeric_limits<double>::infinity();
    case Overflow::saturate:
      return sign * largest_of(format);
    case Overflow::nan:
      return toward_zero ? sign * largest_of(format) : nan_of(format);
  }
  return 0.0;
}

/// Is the result replaced by zero?
bool flushed(const mpfr_t magnitude, double result, bool negative, const Arithmetic& arithmetic,
             std::uint32_t random) {
  const Format& format = arithmetic.format;
  const double least = std::ldexp(1.0, 1 - format.bias);
  switch (format.subnormals) {
    case Subnormals::keep:
      return false;
    case Subnormals::flush:
      return result < least;
    case Subnormals::flush_tiny_before:
      return mpfr_cmp_d(magnitude, least) < 0;
    case Subnormals::flush_tiny_after:
      return choose(neighbours_of(magnitude, format.fraction_bits, mpfr_get_emin(),
                                  arithmetic.random_bits),
                    negative, arithmetic, random) < least;
  }
  return false;
}

}  // namespace

Exact::Exact(double x) {
  mpfr_init2(value_, 53);
  mpfr_set_d(value_, x, MPFR_RNDN);
}
Exact::Exact(const Exact& other) {
  mpfr_init2(value_, mpfr_get_prec(other.value_));
  mpfr_set(value_, other.value_, MPFR_RNDN);
}
Exact& Exact::operator=(const Exact& other) {
  if (this == &other) return *this;
  mpfr_set_prec(value_, mpfr_get_prec(other.value_));
  mpfr_set(value_, other.value_, MPFR_RNDN);
  return *this;
}
Exact::~Exact() {
  mpfr_clear(value_);
}

Exact Exact::sum(const Exact& x, const Exact& y, Rounding zero_sign) {
  Exact s;
  mpfr_set_prec(s.value_, bits_of_sum(x.value_, y.value_));
  // Only the sign of an exact zero depends on MPFR's direction here: the sum itself is exact.
  mpfr_add(s.value_, x.value_, y.value_, zero_sign == Rounding::rd ? MPFR_RNDD : MPFR_RNDN);
  return s;
}

Exact Exact::product(const Exact& x, const Exact& y) {
  Exact p;
  mpfr_set_prec(p.value_, mpfr_get_prec(x.value_) + mpfr_get_prec(y.value_));
  mpfr_mul(p.value_, x.value_, y.value_, MPFR_RNDN);
  return p;
}

double Exact::rounded(const Format& format, Rounding rounding) const {
  return rounded(Arithmetic{format, rounding}, 0);
}

double Exact::rounded(const Arithmetic& arithmetic, std::uint32_t random) const {
  const Format& format = arithmetic.format;
  if (mpfr_nan_p(value_)) return nan_of(format);
  const bool negative = mpfr_signbit(value_) != 0;
  const double zero = negative && format.non_finite != NonFinite::fnuz ? -0.0 : 0.0;
  if (mpfr_inf_p(value_)) return overflowed(format, negative, Rounding::rne);
  if (mpfr_zero_p(value_)) return zero;
  mpfr_t magnitude;
  mpfr_init2(magnitude, mpfr_get_prec(value_));
  mpfr_abs(magnitude, value_, MPFR_RNDN);
  double result = choose(
      neighbours_of(magnitude, format.fraction_bits, 1 - format.bias, arithmetic.random_bits),
      negative, arithmetic, random);
  const bool tiny = flushed(magnitude, result, negative, arithmetic, random);
  mpfr_clear(magnitude);
  if (tiny || result == 0.0) return zero;
  if (result > largest_of(format)) return overflowed(format, negative, arithmetic.rounding);
  return negative ? -result : result;
}

double rounded_sum(double x, double y, const Arithmetic& arithmetic) {
  return Exact::sum(Exact(x), Exact(y), arithmetic.rounding)
      .rounded(arithmetic.format, arithmetic.rounding);
}

double fused(double a, double b, double c, const Arithmetic& arithmetic) {
  return Exact::sum(Exact(c), Exact::product(Exact(a), Exact(b)), arithmetic.rounding)
      .rounded(arithmetic.format, arithmetic.rounding);
}

double unfused(double a, double b, double c, const Arithmetic& product, const Arithmetic& sum) {
  const double p = Exact::product(Exact(a), Exact(b)).rounded(product.format, product.rounding);
  return rounded_sum(c, p, sum);
}

bool same(double x, double y) {
  if (std::isnan(x) || std::isnan(y)) return std::isnan(x) && std::isnan(y);
  return x == y && std::signbit(x) == std::signbit(y);
}

}  // namespace npusim::precision::oracle
