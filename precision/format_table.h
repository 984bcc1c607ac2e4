// SPDX-License-Identifier: Apache-2.0
// The properties of a format that documents compare (FP16 against BF16): computed, never typed in.
#pragma once

#include "precision/format.h"

namespace npusim::precision {

struct FormatProperties {
  int bits, exponent_bits, fraction_bits, bias;
  int min_exponent, max_exponent;
  double max_finite, min_normal, min_subnormal;
  double epsilon;            ///< distance from 1 to the next larger value
  int digits10;              ///< decimal digits that survive decimal -> format -> decimal
  int max_digits10;          ///< digits that identify every value
  double decimal_precision;  ///< precision() * log10(2)
  double dynamic_range_db;   ///< 20 log10(max_finite / min_subnormal)
  int binades;               ///< powers of two from the smallest to the largest positive value
};

FormatProperties properties_of(const Format& format);

}  // namespace npusim::precision
