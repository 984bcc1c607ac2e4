// SPDX-License-Identifier: Apache-2.0
#include "precision/error_counts.h"

#include <algorithm>
#include <cmath>

namespace npusim::precision {

void ErrorCounts::add(double y, double reference) {
  ++m_.count;
  m_.nan += std::isnan(y) ? 1 : 0;
  m_.inf += std::isinf(y) ? 1 : 0;
  if (reference != 0.0) ++nonzero_reference_;
  if (y == 0.0 && reference != 0.0) ++underflows_;
  const double largest = format_.max_finite();
  const bool saturated = std::fabs(y) == largest && std::fabs(reference) > largest;
  if (std::isfinite(reference) && (std::isinf(y) || saturated)) ++overflows_;
  if (!std::isfinite(y) || !std::isfinite(reference)) return;
  ++finite_;
  const double error = y - reference;
  const double magnitude = std::fabs(error);
  m_.max_abs = std::max(m_.max_abs, magnitude);
  if (reference != 0.0) m_.max_rel = std::max(m_.max_rel, magnitude / std::fabs(reference));
  const double in_ulps = magnitude / ulp_of(reference, format_);
  m_.ulp_max = std::max(m_.ulp_max, in_ulps);
  ulps_.add(in_ulps);
  bias_.add(error);
}

ErrorMetrics ErrorCounts::result() const {
  ErrorMetrics m = m_;
  if (finite_ > 0) {
    m.ulp_mean = ulps_.value() / static_cast<double>(finite_);
    m.bias = bias_.value() / static_cast<double>(finite_);
  }
  if (nonzero_reference_ > 0)
    m.underflow_pct =
        100.0 * static_cast<double>(underflows_) / static_cast<double>(nonzero_reference_);
  if (m.count > 0)
    m.overflow_pct = 100.0 * static_cast<double>(overflows_) / static_cast<double>(m.count);
  return m;
}

}  // namespace npusim::precision
