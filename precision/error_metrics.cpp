// SPDX-License-Identifier: Apache-2.0
#include "precision/error_metrics.h"

#include <algorithm>
#include <cmath>

#include "precision/decibel.h"
#include "precision/error_counts.h"
#include "precision/neumaier_sum.h"

namespace npusim::precision {
namespace {

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
  NeumaierSum y_squares, reference_squares, error_squares, products;
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
  ErrorCounts counts(format);
  for (std::int64_t i = 0; i < count; ++i) counts.add(y[i], reference[i]);
  ErrorMetrics m = counts.result();
  add_norms(norms_of(y, reference, count), counts.finite(), m);
  return m;
}

}  // namespace npusim::precision
