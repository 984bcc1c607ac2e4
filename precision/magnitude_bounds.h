// SPDX-License-Identifier: Apache-2.0
// How large and how wide the values inside a unit can get: what binary64 and 64-bit integers hold.
#pragma once

#include "precision/mac_unit.h"

namespace npusim::precision {

/// Scales that join rounded sums are multiplied in FP32 first, as vector units do it: the product
/// of both is rounded to FP32, then it meets the sum. Elsewhere the product is exact.
bool multiplies_scales_in_fp32(const MacUnit& unit);

/// True when a sum of this format times the block scales of the unit is exact in binary64.
bool scaled_sums_hold(const MacUnit& unit, const Format& sums);

/// Products computed in binary64 are what the unit means: exact, or rounded there anyway.
bool products_hold(const MacUnit& unit);

/// The format in which the unit multiplies the slice of a pass of A (or B): the operand's own when
/// it has no slices.
const Format& sliced_format(const Format& operand, const Slices& slices, int slice);

/// Bits of the integer that an aligned stage adds up, or of an exact sum that is handed on; a large
/// number where no bound is known.
int sum_bits(const MacUnit& unit, std::size_t stage);

}  // namespace npusim::precision
