// SPDX-License-Identifier: Apache-2.0
#include "precision/decibel.h"

#include <cmath>

namespace npusim::precision {

double decibel(double ratio) {
  constexpr double kHalfRoot = 0.70710678118654752440;
  constexpr double kLn2 = 0.69314718055994530942;
  constexpr double kLn10 = 2.30258509299404568402;
  int exponent = 0;
  double m = std::frexp(ratio, &exponent);  // [0.5, 1)
  if (m < kHalfRoot) {
    m *= 2.0;
    --exponent;
  }
  // ln m = 2 atanh((m-1)/(m+1)); the argument is below 0.172, so 20 terms are plenty.
  const double s = (m - 1.0) / (m + 1.0);
  double power = s;
  double sum = 0.0;
  for (int k = 1; k < 40; k += 2) {
    sum += power / k;
    power *= s * s;
  }
  return 20.0 * (2.0 * sum + exponent * kLn2) / kLn10;
}

}  // namespace npusim::precision
