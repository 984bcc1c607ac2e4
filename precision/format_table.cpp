// SPDX-License-Identifier: Apache-2.0
#include "precision/format_table.h"

#include <cmath>

#include "precision/decibel.h"

namespace npusim::precision {
namespace {

constexpr double kLog10Of2 = 0.30102999566398119521;

/// Ratio of two positive numbers whose quotient may exceed binary64.
double ratio_db(double large, double small) {
  int large_exponent = 0;
  int small_exponent = 0;
  const double mantissas = std::frexp(large, &large_exponent) / std::frexp(small, &small_exponent);
  return decibel(mantissas) + 20.0 * kLog10Of2 * (large_exponent - small_exponent);
}

void set_range(FormatProperties& p) {
  p.dynamic_range_db = ratio_db(p.max_finite, p.min_positive);
  p.binades = std::ilogb(p.max_finite) - std::ilogb(p.min_positive) + 1;
}

void set_floating_point(FormatProperties& p, const Format& format) {
  p.exponent_bits = format.exponent_bits;
  p.fraction_bits = format.fraction_bits;
  p.bias = format.bias;
  p.min_exponent = format.min_exponent();
  p.max_exponent = format.max_exponent();
  p.min_normal = format.min_normal();
  if (format.subnormals == Subnormals::keep) p.min_subnormal = format.min_subnormal();
  p.epsilon = std::ldexp(1.0, -format.fraction_bits);
  p.digits10 = static_cast<int>(std::floor(format.fraction_bits * kLog10Of2));
  p.max_digits10 = static_cast<int>(std::ceil(1.0 + format.precision() * kLog10Of2));
  p.decimal_precision = format.precision() * kLog10Of2;
}

}  // namespace

FormatProperties properties_of(const Format& format) {
  FormatProperties p;
  p.bits = format.bits();
  p.max_finite = format.max_finite();
  p.lowest = format.lowest();
  p.has_infinity = format.has_infinity();
  p.has_nan = format.has_nan();
  p.min_positive = format.min_subnormal();
  if (format.is_scale()) {
    p.exponent_bits = format.exponent_bits;
    p.bias = format.bias;
    p.min_exponent = format.min_exponent();
    p.max_exponent = format.max_exponent();
    p.epsilon = 1.0;
  } else if (format.is_fixed_point()) {
    p.epsilon = p.min_positive;
    p.digits10 = static_cast<int>(std::floor(format.precision() * kLog10Of2));
    p.decimal_precision = format.precision() * kLog10Of2;
  } else {
    set_floating_point(p, format);
  }
  set_range(p);
  return p;
}

FormatProperties properties_of(const BlockFormat& format) {
  FormatProperties p = properties_of(format.element);
  p.bits = format.bits_per_value();
  if (format.symmetric) p.lowest = -p.max_finite;
  p.has_infinity = false;  // elements saturate
  p.has_nan = format.scale.has_value() || format.element.has_nan();
  if (!format.scale) return p;
  const Format& scale = *format.scale;
  p.max_finite *= scale.max_finite();
  p.lowest *= scale.max_finite();
  p.min_positive *= scale.min_subnormal();
  if (p.min_normal) *p.min_normal *= scale.min_subnormal();
  if (p.min_subnormal) *p.min_subnormal *= scale.min_subnormal();
  if (p.min_exponent) *p.min_exponent += std::ilogb(scale.min_subnormal());
  if (p.max_exponent) *p.max_exponent += scale.max_exponent();
  set_range(p);
  return p;
}

}  // namespace npusim::precision
