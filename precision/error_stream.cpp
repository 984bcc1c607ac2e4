// SPDX-License-Identifier: Apache-2.0
#include "precision/error_stream.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "precision/decibel.h"

namespace npusim::precision {
namespace {

/// sqrt(a / b) of two sums of squares, b not zero.
double root_of_ratio(const ScaledProducts& a, const ScaledProducts& b) {
  return std::ldexp(std::sqrt(a.value() / b.value()), (a.exponent() - b.exponent()) / 2);
}

}  // namespace

void ScaledProducts::add(double x, double y) {
  if (x == 0.0 || y == 0.0) return;
  const int x_exponent = std::ilogb(x);
  const int y_exponent = std::ilogb(y);
  if (empty_ || x_exponent > x_exponent_ || y_exponent > y_exponent_) {
    const int new_x = empty_ ? x_exponent : std::max(x_exponent, x_exponent_);
    const int new_y = empty_ ? y_exponent : std::max(y_exponent, y_exponent_);
    sum_.multiply_by_power_of_two(x_exponent_ + y_exponent_ - new_x - new_y);
    x_exponent_ = new_x;
    y_exponent_ = new_y;
    empty_ = false;
  }
  sum_.add(std::ldexp(x, -x_exponent_) * std::ldexp(y, -y_exponent_));
}

void ErrorStream::add(const double* y, const double* reference, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    counts_.add(y[i], reference[i]);
    if (!std::isfinite(y[i]) || !std::isfinite(reference[i])) continue;
    // The difference of two finite numbers may exceed binary64.
    const double error = std::clamp(y[i] - reference[i], -std::numeric_limits<double>::max(),
                                    std::numeric_limits<double>::max());
    y_squares_.add(y[i], y[i]);
    reference_squares_.add(reference[i], reference[i]);
    error_squares_.add(error, error);
    products_.add(y[i], reference[i]);
  }
}

ErrorMetrics ErrorStream::result() const {
  ErrorMetrics m = counts_.result();
  const auto finite = static_cast<double>(counts_.finite());
  if (counts_.finite() > 0)
    m.rmse = std::ldexp(std::sqrt(error_squares_.value() / finite), error_squares_.exponent() / 2);
  const bool reference = reference_squares_.value() > 0.0;
  if (reference) m.rel_fro = root_of_ratio(error_squares_, reference_squares_);
  if (reference && error_squares_.value() > 0.0) m.sqnr_db = -decibel(*m.rel_fro);
  if (reference && y_squares_.value() > 0.0) {
    const double norms = std::sqrt(y_squares_.value()) * std::sqrt(reference_squares_.value());
    const int exponent =
        products_.exponent() - y_squares_.exponent() / 2 - reference_squares_.exponent() / 2;
    m.cosine = std::ldexp(products_.value() / norms, exponent);
  }
  return m;
}

}  // namespace npusim::precision
