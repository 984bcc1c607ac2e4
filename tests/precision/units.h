// SPDX-License-Identifier: Apache-2.0
// MAC units and reproducible random operands for the tests of this folder.
#pragma once

#include <cstdint>
#include <vector>

#include "precision/mac_unit.h"

namespace npusim::precision::units {

Arithmetic arithmetic(const Format& format, Rounding rounding);

/// Exact products into one accumulator.
MacUnit chain(const Format& operand, const Arithmetic& sum);
/// Exact products, a pairwise tree of `terms`, then an accumulator; both round alike.
MacUnit tree(const Format& operand, std::int64_t terms, const Arithmetic& sum);
/// The units of the shipped NPUs and MAC-unit files, and some that stretch the kernels.
std::vector<MacUnit> many();
/// Those of them that add aligned blocks.
std::vector<MacUnit> many_blocks();

/// Knuth's 64-bit LCG, high bits: the same values on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint64_t bits();
  double uniform();  ///< [0, 1)
  int below(int limit);
  /// Values of the format, of random sign and with exponents spread over [-spread, spread] binades.
  std::vector<double> values(std::int64_t count, const Format& format, double spread);
  /// As values(), with corners of the format mixed in.
  std::vector<double> special(std::int64_t count, const Format& format, double spread);

 private:
  std::uint64_t state_;
};

}  // namespace npusim::precision::units
