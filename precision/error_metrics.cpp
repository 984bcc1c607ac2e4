// SPDX-License-Identifier: Apache-2.0
#include "precision/error_metrics.h"

#include <algorithm>
#include <cmath>

namespace npusim::precision {
namespace {

/// Neumaier's compensated sum: the error of long sums stays at the level of one rounding.
class Sum {
 public:
  void add(double x) {
    const double t = sum_ + x;
    lost_ += std::fabs(sum_) >= std::fabs(x) ? (sum_ - t) + x : (x - t) + sum_;
    sum_ = t;
  }
  double value() const { return sum_ + lost_; }

 private:
  double sum_ = 0.0;
  double lost_ = 0.0;
};

/// 20*log10(x) without libm's log10, whose bits differ between machines: correct to about 1e-12.
double decibel(double ratio) {
  int exponent = 0;
  double m = std::frexp(ratio, &exponent);  // [0.5, 1)
  if (m < 0.70710678118654752) {
    m *= 2.0;
    --exponent;
  }
  const double s = (m - 1.0) / (m + 1.0);
  double term = s;
  double log = 0.0;
  for (int k = 1; k < 40; k += 2) {
    log += term / k;
    term *= s * s;
  }
  const double natural = 2.0 * log + exponent * 0.69314718055994530942;
  return 20.0 * natural / 2.30258509299404568402;
}

}  // namespace

double ulp_of(double x, const Format& format) {
  int exponent = format.min_exponent() + 1;
  if (x != 0.0) std::frexp(x, &exponent);
  return std::ldexp(1.0, std::max(exponent - 1, format.min_exponent()) - format.fraction_bits);
}

ErrorMetrics compare(const double* y, const double* reference, std::int64_t count,
                     const Format& format) {
  ErrorMetrics m;
  m.count = count;
  Sum error_squares, reference_squares, y_squares, products, bias, ulps;
  std::int64_t finite = 0, nonzero_reference = 0, underflows = 0, overflows = 0;
  const double largest = format.max_finite();
  for (std::int64_t i = 0; i < count; ++i) {
    const double value = y[i];
    const double ref = reference[i];
    m.nan += std::isnan(value) ? 1 : 0;
    m.inf += std::isinf(value) ? 1 : 0;
    if (ref != 0.0) ++nonzero_reference;
    if (value == 0.0 && ref != 0.0) ++underflows;
    const bool saturated = std::fabs(value) == largest && std::fabs(ref) > largest;
    if (std::isfinite(ref) && (std::isinf(value) || saturated)) ++overflows;
    if (!std::isfinite(value) || !std::isfinite(ref)) continue;
    ++finite;
    const double error = value - ref;
    const double magnitude = std::fabs(error);
    m.max_abs = std::max(m.max_abs, magnitude);
    if (ref != 0.0) m.max_rel = std::max(m.max_rel, magnitude / std::fabs(ref));
    const double in_ulps = magnitude / ulp_of(ref, format);
    m.ulp_max = std::max(m.ulp_max, in_ulps);
    ulps.add(in_ulps);
    bias.add(error);
    error_squares.add(error * error);
    reference_squares.add(ref * ref);
    y_squares.add(value * value);
    products.add(value * ref);
  }
  const double error_norm = std::sqrt(error_squares.value());
  const double reference_norm = std::sqrt(reference_squares.value());
  const double y_norm = std::sqrt(y_squares.value());
  if (finite > 0) {
    m.rmse = std::sqrt(error_squares.value() / static_cast<double>(finite));
    m.ulp_mean = ulps.value() / static_cast<double>(finite);
    m.bias = bias.value() / static_cast<double>(finite);
  }
  if (reference_norm > 0.0) m.rel_fro = error_norm / reference_norm;
  if (reference_norm > 0.0 && error_norm > 0.0) m.sqnr_db = decibel(reference_norm / error_norm);
  if (reference_norm > 0.0 && y_norm > 0.0) m.cosine = products.value() / (reference_norm * y_norm);
  if (nonzero_reference > 0)
    m.underflow_pct =
        100.0 * static_cast<double>(underflows) / static_cast<double>(nonzero_reference);
  if (count > 0)
    m.overflow_pct = 100.0 * static_cast<double>(overflows) / static_cast<double>(count);
  return m;
}

}  // namespace npusim::precision
