// SPDX-License-Identifier: Apache-2.0
#include "precision/format_table.h"

#include <cmath>

#include "precision/decibel.h"

namespace npusim::precision {

FormatProperties properties_of(const Format& format) {
  constexpr double kLog10Of2 = 0.30102999566398119521;
  FormatProperties p{};
  p.bits = format.bits();
  p.exponent_bits = format.exponent_bits;
  p.fraction_bits = format.fraction_bits;
  p.bias = format.bias;
  p.min_exponent = format.min_exponent();
  p.max_exponent = format.max_exponent();
  p.max_finite = format.max_finite();
  p.min_normal = format.min_normal();
  p.min_subnormal = format.min_subnormal();
  p.epsilon = std::ldexp(1.0, -format.fraction_bits);
  // floor((p-1) log10 2) and ceil(1 + p log10 2): ISO C, 5.2.4.2.2.
  p.digits10 = static_cast<int>(std::floor(format.fraction_bits * kLog10Of2));
  p.max_digits10 = static_cast<int>(std::ceil(1.0 + format.precision() * kLog10Of2));
  p.decimal_precision = format.precision() * kLog10Of2;
  p.binades = format.max_exponent() - std::ilogb(p.min_subnormal) + 1;
  const int binades_apart = format.max_exponent() - std::ilogb(p.min_subnormal);
  p.dynamic_range_db = decibel(2.0 - p.epsilon) + 20.0 * kLog10Of2 * binades_apart;
  return p;
}

}  // namespace npusim::precision
