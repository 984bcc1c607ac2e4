// SPDX-License-Identifier: Apache-2.0
// The arithmetic of one multiply-accumulate unit: a product rule and stages, innermost first.
//
// Stage i takes groups of `terms` results of stage i-1 (stage 0: products) and combines each group
// to one value; the last stage is the accumulator: it takes everything that is left, one after the
// other, and starts from the accumulator input c (or +0).
//   chain: r = round(r + term), term by term, starting from the group's first term (accumulator:
//   from c) tree:  neighbours are added and rounded, ((t0+t1)+(t2+t3))+...; an odd one out moves up
//   unchanged
// With an exact product a chain is a chain of fused multiply-adds; with a rounded product it is the
// unfused one. A group cut short by the end of K is filled with +0 terms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "precision/rounding.h"

namespace npusim::precision {

enum class Combine { chain, tree };

struct Stage {
  std::int64_t terms = 0;  ///< group size, at least 2; 0 in the last stage only: all that is left
  Combine combine = Combine::chain;
  Arithmetic arithmetic;
};

struct MacUnit {
  std::string name;
  Format a;                           ///< format of the first operand
  Format b;                           ///< format of the second operand
  std::optional<Arithmetic> product;  ///< nullopt: exact
  std::vector<Stage> stages;          ///< at least one; the last is the accumulator (chain)

  const Arithmetic& accumulator() const { return stages.back().arithmetic; }
  /// Terms that the stages before the accumulator reduce together: K advances in these steps.
  std::int64_t block_terms() const;
};

/// Throws std::invalid_argument naming every violated rule: operand and product widths (sums have
/// at most 51 significand bits, or are binary64 with RNE; exact products need at most 53 bits and
/// the range of binary64, except in a lone binary64 chain, which is a chain of std::fma, and where
/// the product is rounded to binary64 with RNE), group sizes, last stage.
void validate(const MacUnit& unit);
/// True for what a sum can be rounded to: at most 51 significand bits, or binary64 with RNE.
bool holds_sums(const Arithmetic& arithmetic);

/// c + a[0]*b[0] + ... in the unit's order and formats: the scalar code that defines the unit.
/// a and b hold n values of the unit's operand formats; c is a value of the accumulator's format.
double mac_chain(const MacUnit& unit, const double* a, const double* b, std::int64_t n, double c);

}  // namespace npusim::precision
