// SPDX-License-Identifier: Apache-2.0
// The properties of a format that documents compare (FP16 against BF16): computed, never typed in.
// What has no meaning for a format is absent: fixed point and scales have no exponent range of
// normal numbers, scales no digits. Of block-scaled formats the fields are those of the elements;
// bits count the element's share of the scale, and the range is that of element times block scale,
// the scale of the tensor being one.
#pragma once

#include <optional>

#include "precision/block_format.h"
#include "precision/format.h"

namespace npusim::precision {

struct FormatProperties {
  double bits = 0.0;
  std::optional<int> exponent_bits, fraction_bits, bias;
  std::optional<int> min_exponent, max_exponent;  ///< of normal numbers
  double max_finite = 0.0;
  double lowest = 0.0;  ///< the most negative number; of scales the smallest
  std::optional<double> min_normal, min_subnormal;
  double min_positive = 0.0;
  double epsilon = 0.0;  ///< distance from 1 to the next larger value; of fixed point the spacing
  bool has_infinity = false, has_nan = false;
  /// Decimal digits that survive decimal -> format -> decimal; those that identify every value
  /// (ISO C, 5.2.4.2.2); significand bits * log10(2).
  std::optional<int> digits10, max_digits10;
  std::optional<double> decimal_precision;
  double dynamic_range_db = 0.0;  ///< 20 log10(max_finite / min_positive)
  int binades = 0;                ///< powers of two from the smallest to the largest positive value
};

FormatProperties properties_of(const Format& format);
FormatProperties properties_of(const BlockFormat& format);

}  // namespace npusim::precision
