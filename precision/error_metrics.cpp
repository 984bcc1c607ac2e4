// SPDX-License-Identifier: Apache-2.0
#include "precision/error_metrics.h"

#include <algorithm>
#include <cmath>

#include "precision/decibel.h"

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

/// A power of two that brings the largest of some magnitudes near 1: sums of squares then neither
/// overflow nor vanish, and scaling by it changes no bit.
class Scale {
 public:
  void see(double x) { largest_ = std::max(largest_, std::fabs(x)); }
  void fix() {
    if (largest_ > 0.0 && std::isfinite(largest_)) exponent_ = std::ilogb(largest_);
  }
  double down(double x) const { return std::ldexp(x, -exponent_); }
  double up(double x) const { return std::ldexp(x, exponent_); }

 private:
  double largest_ = 0.0;
  int exponent_ = 0;
};

/// Euclidean norms of y, the reference and their difference over the finite elements, each in units
/// of its own scale.
struct Norms {
  Scale y_scale, reference_scale, error_scale;
  double y = 0.0, reference = 0.0, error = 0.0;
  double product = 0.0;  ///< sum of y * reference, in units of both scales
};

bool both_finite(double y, double reference) {
  return std::isfinite(y) && std::isfinite(reference);
}

Norms norms_of(const double* y, const double* reference, std::int64_t count) {
  Norms n;
  for (std::int64_t i = 0; i < count; ++i) {
    if (!both_finite(y[i], reference[i])) continue;
    n.y_scale.see(y[i]);
    n.reference_scale.see(reference[i]);
    n.error_scale.see(y[i] - reference[i]);
  }
  n.y_scale.fix();
  n.reference_scale.fix();
  n.error_scale.fix();
  Sum y_squares, reference_squares, error_squares, products;
  for (std::int64_t i = 0; i < count; ++i) {
    if (!both_finite(y[i], reference[i])) continue;
    const double a = n.y_scale.down(y[i]);
    const double b = n.reference_scale.down(reference[i]);
    const double e = n.error_scale.down(y[i] - reference[i]);
    y_squares.add(a * a);
    reference_squares.add(b * b);
    error_squares.add(e * e);
    products.add(a * b);
  }
  n.y = std::sqrt(y_squares.value());
  n.reference = std::sqrt(reference_squares.value());
  n.error = std::sqrt(error_squares.value());
  n.product = products.value();
  return n;
}

/// What follows from the norms; `finite` elements took part.
void add_norms(const Norms& n, std::int64_t finite, ErrorMetrics& m) {
  if (finite > 0) m.rmse = n.error_scale.up(n.error / std::sqrt(static_cast<double>(finite)));
  if (n.reference > 0.0)
    m.rel_fro = n.error_scale.up(n.reference_scale.down(n.error / n.reference));
  if (n.reference > 0.0 && n.error > 0.0) m.sqnr_db = -decibel(*m.rel_fro);
  if (n.reference > 0.0 && n.y > 0.0) m.cosine = n.product / (n.reference * n.y);
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
  Sum bias, ulps;
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
    if (!both_finite(value, ref)) continue;
    ++finite;
    const double error = value - ref;
    const double magnitude = std::fabs(error);
    m.max_abs = std::max(m.max_abs, magnitude);
    if (ref != 0.0) m.max_rel = std::max(m.max_rel, magnitude / std::fabs(ref));
    const double in_ulps = magnitude / ulp_of(ref, format);
    m.ulp_max = std::max(m.ulp_max, in_ulps);
    ulps.add(in_ulps);
    bias.add(error);
  }
  if (finite > 0) {
    m.ulp_mean = ulps.value() / static_cast<double>(finite);
    m.bias = bias.value() / static_cast<double>(finite);
  }
  add_norms(norms_of(y, reference, count), finite, m);
  if (nonzero_reference > 0)
    m.underflow_pct =
        100.0 * static_cast<double>(underflows) / static_cast<double>(nonzero_reference);
  if (count > 0)
    m.overflow_pct = 100.0 * static_cast<double>(overflows) / static_cast<double>(count);
  return m;
}

}  // namespace npusim::precision
