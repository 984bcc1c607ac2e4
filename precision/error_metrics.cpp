// SPDX-License-Identifier: Apache-2.0
#include "precision/error_metrics.h"

#include <algorithm>
#include <cmath>

#include "precision/decibel.h"
#include "precision/error_counts.h"
#include "precision/kernels/dispatch.h"
#include "precision/neumaier_sum.h"

namespace npusim::precision {
namespace {

using kernels::kErrorLanes;

/// A power of two that brings the largest of some magnitudes near 1: sums of squares then neither
/// overflow nor vanish, and scaling by it changes no bit.
class Scale {
 public:
  explicit Scale(double largest) {
    if (largest > 0.0 && std::isfinite(largest)) exponent_ = std::ilogb(largest);
  }
  /// 2^-exponent is a number of binary64.
  bool is_factor() const { return exponent_ >= -1023 && exponent_ <= 1022; }
  double factor() const { return std::ldexp(1.0, -exponent_); }
  double down(double x) const { return std::ldexp(x, -exponent_); }
  double up(double x) const { return std::ldexp(x, exponent_); }

 private:
  int exponent_ = 0;
};

/// Euclidean norms of y, the reference and their difference over the finite elements, each in units
/// of its own scale. Element i goes to lane i % kErrorLanes.
class Norms {
 public:
  Norms(double largest_y, double largest_reference, double largest_error)
      : y_scale(largest_y), reference_scale(largest_reference), error_scale(largest_error) {}

  void add(const double* values, const double* references, std::int64_t count) {
    std::int64_t done = 0;
    if (y_scale.is_factor() && reference_scale.is_factor() && error_scale.is_factor())
      done = add_blocks(values, references, count);
    for (std::int64_t i = done; i < count; ++i) add_pair(values[i], references[i], i);
    y = std::sqrt(sum_of_lanes(lanes_.y, lanes_.y_lost, kErrorLanes));
    reference = std::sqrt(sum_of_lanes(lanes_.reference, lanes_.reference_lost, kErrorLanes));
    error = std::sqrt(sum_of_lanes(lanes_.error, lanes_.error_lost, kErrorLanes));
    product = sum_of_lanes(lanes_.product, lanes_.product_lost, kErrorLanes);
  }

  Scale y_scale, reference_scale, error_scale;
  double y = 0.0, reference = 0.0, error = 0.0;
  double product = 0.0;  ///< sum of y * reference, in units of both scales

 private:
  std::int64_t add_blocks(const double* values, const double* references, std::int64_t count) {
    constexpr std::int64_t kBlock = 512;
    const auto& kernel = kernels::chosen_kernels().error_norms;
    const kernels::NormScales scales{y_scale.factor(), reference_scale.factor(),
                                     error_scale.factor()};
    const std::int64_t whole = count / kErrorLanes * kErrorLanes;
    for (std::int64_t at = 0; at < whole; at += kBlock)
      kernel(scales, values + at, references + at, static_cast<long>(std::min(kBlock, whole - at)),
             lanes_);
    return whole;
  }

  void add_pair(double value, double of_reference, std::int64_t index) {
    if (!std::isfinite(value) || !std::isfinite(of_reference)) return;
    const double a = y_scale.down(value);
    const double b = reference_scale.down(of_reference);
    const double e = error_scale.down(value - of_reference);
    const auto lane = static_cast<std::size_t>(index % kErrorLanes);
    const auto add = [lane](double x, double* sums, double* lost) {
      NeumaierSum sum(sums[lane], lost[lane]);
      sum.add(x);
      sums[lane] = sum.sum();
      lost[lane] = sum.lost();
    };
    add(a * a, lanes_.y, lanes_.y_lost);
    add(b * b, lanes_.reference, lanes_.reference_lost);
    add(e * e, lanes_.error, lanes_.error_lost);
    add(a * b, lanes_.product, lanes_.product_lost);
  }

  kernels::NormLanes lanes_{};
};

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
  counts.add(y, reference, count);
  ErrorMetrics m = counts.result();
  Norms norms(counts.largest_y(), counts.largest_reference(), m.max_abs);
  norms.add(y, reference, count);
  add_norms(norms, counts.finite(), m);
  return m;
}

}  // namespace npusim::precision
