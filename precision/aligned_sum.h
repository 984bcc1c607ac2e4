// SPDX-License-Identifier: Apache-2.0
// The adder of a block unit: every term is shifted to the largest exponent, loses the bits that the
// shifter does not keep, and the integers are added exactly. Published as T-FDPA for NVIDIA and
// TR-FDPA for AMD matrix units (Khattak & Mikaitis, arXiv:2512.07004; Xie et al., arXiv:2511.10909;
// first measured by Fasi, Higham, Mikaitis & Pranesh, PeerJ CS 7:e330).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "precision/mac_unit.h"

namespace npusim::precision {

/// A value inside a unit, before it is rounded.
struct Term {
  /// Exponent of a product that is zero: it never decides what the others are shifted to.
  static constexpr int kNone = -100000;

  double value = 0.0;
  std::int64_t index = -1;  ///< position in K of a product; -1: padding, or a sum
  int exponent = kNone;     ///< what it is aligned by (AlignBy::operands)
  int scale_exponent = 0;   ///< of the block scales that have joined it; kNone: a scale of zero, or
                            ///< padding
};

/// floor(log2 |x|), not below the format's smallest normal exponent; x is finite and not zero.
int exponent_of(double x, const Format& format);

struct AlignedSum {
  double value = 0.0;          ///< rounded to odd at 53 bits; infinities and NaN as IEEE addition
  int exponent = Term::kNone;  ///< what the terms were shifted to
  std::vector<double> kept;    ///< the terms after the cut, the running value last if there is one
};

/// Sums terms and, if given, the running value of `format` (decoded with that format's smallest
/// exponent). A sum of nothing but zeros is +0.
AlignedSum aligned_sum(const Alignment& alignment, const std::vector<Term>& terms,
                       std::optional<double> running, const Format& format);

}  // namespace npusim::precision
