// SPDX-License-Identifier: Apache-2.0
// Rows of values along K as elements and scales, and back.
//
//   scale of a block   amax / target, divided by the tensor's scale where there is one, rounded
//   once
//                      to the scale format; saturates at its largest number
//   element            value / (scale * tensor scale), rounded once; saturates
//   zero block         the smallest scale of the format (zero if it has one), zero elements
//   scale that rounds  zero elements: what is that far below the tensor's largest value is lost
//   to zero
//   NaN or infinity    in a block with a scale: the scale is NaN, so all its values are; the
//                      elements are zero. Where only the tensor has a scale, infinities saturate
//                      and NaN follows the element format (zero for integers)
//   tensor scale       from the largest finite magnitude; 1 when that is zero (for power-of-two
//                      scales likewise)
// Kernels of vendors multiply by a rounded reciprocal instead of dividing; not modelled.
#pragma once

#include <cstdint>
#include <vector>

#include "precision/block_format.h"
#include "precision/counter_random.h"
#include "precision/rounding.h"

namespace npusim::precision {

/// How elements are rounded. With sr the element of index i takes word i (indexed_rounding.h).
struct ElementRounding {
  Rounding rounding = Rounding::rne;
  int random_bits = 0;
  RandomKey key;
};

/// x / y rounded to odd at 53 bits, y positive and finite; beyond 2^-1000 only its sign and
/// inexactness count. Rounding it to a format rounds the quotient once.
double odd_quotient(double x, double y);

/// The largest magnitude; NaN when a value is NaN or infinite.
double block_amax(const double* values, std::int64_t count);

/// The largest magnitude that is finite.
double finite_amax(const double* values, std::int64_t count);

/// Scale of a tensor whose largest finite magnitude is amax; 1 for formats without.
double tensor_scale_of(const BlockFormat& format, double amax);

/// Scale of a block (1 for formats without block scales); a NaN amax gives NaN.
double block_scale_of(const BlockFormat& format, double amax, double tensor_scale);

/// One element.
double quantize_element(const BlockFormat& format, double value, double scale, double tensor_scale,
                        const ElementRounding& rounding, std::uint64_t index);

/// A row of `terms` values: `terms` elements and blocks(terms) scales. The first element has index
/// first_index.
void quantize_row(const BlockFormat& format, const double* values, std::int64_t terms,
                  double tensor_scale, const ElementRounding& rounding, std::uint64_t first_index,
                  double* elements, double* scales);

/// element * scale * tensor scale: exact.
void dequantize_row(const BlockFormat& format, const double* elements, const double* scales,
                    std::int64_t terms, double tensor_scale, double* values);

}  // namespace npusim::precision
