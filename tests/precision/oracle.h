// SPDX-License-Identifier: Apache-2.0
// Independent meaning of rounding and of sums: MPFR with as many bits as it takes.
// Shares no code with precision/: only the description of a format is read.
#pragma once

#include <mpfr.h>

#include "precision/mac_unit.h"
#include "precision/rounding.h"

namespace npusim::precision::oracle {

/// A real number held exactly: as many bits as it needs.
class Exact {
 public:
  explicit Exact(double x = 0.0);
  Exact(const Exact& other);
  Exact& operator=(const Exact& other);
  ~Exact();

  static Exact sum(const Exact& x, const Exact& y, Rounding zero_sign);
  static Exact product(const Exact& x, const Exact& y);
  /// The value rounded once to the format, as IEEE 754 and the format's own rules say.
  double rounded(const Format& format, Rounding rounding) const;
  /// The same in any mode; floating-point formats only.
  double rounded(const Arithmetic& arithmetic, std::uint32_t random) const;

 private:
  mpfr_t value_;
};

/// x + y, both exact, rounded once.
double rounded_sum(double x, double y, const Arithmetic& arithmetic);
/// c + a*b with an exact product, rounded once.
double fused(double a, double b, double c, const Arithmetic& arithmetic);
/// c + product, where the product is rounded first.
double unfused(double a, double b, double c, const Arithmetic& product, const Arithmetic& sum);

/// Bits equal, any NaN being equal to any NaN.
bool same(double x, double y);

}  // namespace npusim::precision::oracle
