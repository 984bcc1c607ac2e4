// SPDX-License-Identifier: Apache-2.0
// Codes of a format: the bits that stand for a value, in the lowest bits() of a word.
//   floating point: sign, exponent field, fraction, as IEEE 754 and OCP OFP8 lay them out
//   fixed point: two's complement
//   scale: the exponent field
// Only the layout counts: the rules for overflow, subnormals and NaN results say what arithmetic
// does, not what a code means, so the codes of a flushing or saturating format still decode to
// subnormals and infinities.
#pragma once

#include <cstdint>

#include "precision/format.h"

namespace npusim::precision {

/// The value of a code. Every NaN code gives the quiet NaN; bits above bits() must be zero
/// (std::invalid_argument).
double decode(std::uint64_t code, const Format& format);

/// The code of a value that has one; NaN gives the canonical one: positive and quiet with a zero
/// payload, or the format's only one. -0 is the code of +0 where the format has no negative zero.
/// Throws std::invalid_argument for a value without a code.
std::uint64_t encode(double value, const Format& format);

/// True when encode() accepts the value.
bool has_code(double value, const Format& format);

}  // namespace npusim::precision
