// SPDX-License-Identifier: Apache-2.0
#include "patterns.h"

#include <cmath>
#include <limits>

namespace npusim::precision::patterns {

const std::vector<Rounding> kRoundings = {Rounding::rne, Rounding::rna, Rounding::rtz,
                                          Rounding::ru,  Rounding::rd,  Rounding::odd};

std::vector<double> magnitudes(const Format& format) {
  const int largest_field = (1 << format.exponent_bits) - 1;
  const int fields = format.non_finite == NonFinite::ieee ? largest_field : largest_field + 1;
  const int fractions = 1 << format.fraction_bits;
  std::vector<double> values;
  for (int e = 0; e < fields; ++e) {
    for (int f = 0; f < fractions; ++f) {
      const double significand = (e == 0 ? 0.0 : 1.0) + static_cast<double>(f) / fractions;
      values.push_back(std::ldexp(significand, (e == 0 ? 1 : e) - format.bias));
    }
  }
  values.push_back(std::ldexp(1.0, fields - format.bias));
  return values;
}

std::vector<double> around(const std::vector<double>& ascending) {
  constexpr double kUp = std::numeric_limits<double>::infinity();
  std::vector<double> points;
  for (std::size_t i = 0; i + 1 < ascending.size(); ++i) {
    const double middle = ascending[i] + (ascending[i + 1] - ascending[i]) / 2.0;
    for (const double centre : {ascending[i], middle})
      for (const double x : {std::nextafter(centre, 0.0), centre, std::nextafter(centre, kUp)})
        for (const double sign : {1.0, -1.0}) points.push_back(sign * x);
  }
  const double end = ascending.back();
  for (const double x :
       {std::nextafter(end, 0.0), end, std::nextafter(end, kUp), 1.5 * end, 0x1p1000,
        std::numeric_limits<double>::max(), kUp, 0x1p-1074, 0x1p-1000, 0x1.8p-140})
    for (const double sign : {1.0, -1.0}) points.push_back(sign * x);
  points.push_back(std::numeric_limits<double>::quiet_NaN());
  points.push_back(-std::numeric_limits<double>::quiet_NaN());
  return points;
}

std::vector<double> corners(const Format& format) {
  const double ulp = std::ldexp(1.0, -format.fraction_bits);
  const double least = std::ldexp(1.0, 1 - format.bias);
  const double largest = (2.0 - ulp) * std::ldexp(1.0, format.max_exponent());
  std::vector<double> positive = {0.0,
                                  1.0,
                                  1.0 + ulp,
                                  2.0 - ulp,
                                  1.0 - ulp / 2.0,
                                  std::ldexp(1.0 + ulp, -format.fraction_bits - 1),
                                  std::ldexp(1.0 - ulp / 2.0, -format.fraction_bits),
                                  std::ldexp(1.0, -format.fraction_bits - 1),
                                  3.0,
                                  std::ldexp(1.0, format.fraction_bits / 2) + 1.0,
                                  largest,
                                  largest / 2.0,
                                  least,
                                  least * (1.0 + ulp),
                                  std::sqrt(least) > 0x1p-40 ? 0x1p-12 : 0x1p-63,
                                  std::numeric_limits<double>::infinity()};
  if (format.subnormals == Subnormals::keep) {
    positive.push_back(least * ulp);
    positive.push_back(least * 3.0 * ulp);
    positive.push_back(least * (1.0 - ulp));
  }
  std::vector<double> all;
  for (const double x : positive)
    for (const double sign : {1.0, -1.0}) all.push_back(sign * x);
  return all;
}

std::vector<Format> variants(const Format& format) {
  std::vector<Format> all;
  for (const Overflow overflow : {Overflow::infinity, Overflow::saturate}) {
    for (const Subnormals subnormals : {Subnormals::keep, Subnormals::flush}) {
      Format f = format;
      f.overflow = overflow;
      f.subnormals = subnormals;
      all.push_back(f);
    }
  }
  return all;
}

}  // namespace npusim::precision::patterns
