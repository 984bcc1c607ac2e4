// SPDX-License-Identifier: Apache-2.0
#include "sim/training/gradient_statistics.h"

#include <cmath>

#include "precision/rounding.h"

namespace npusim::sim {

GradientStatistics gradient_statistics(const std::vector<double>& before,
                                       const std::vector<double>& after,
                                       const precision::Format& format, double clamped_at) {
  GradientStatistics s;
  s.format = format.name;
  s.count = static_cast<std::int64_t>(before.size());
  const double top = format.max_finite();
  const double normal = format.min_normal();
  double error = 0.0, magnitude = 0.0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double x = before[i], y = after[i];
    if (!std::isfinite(x)) {
      ++s.nonfinite;
      if (std::isfinite(y)) ++s.masked;
      continue;
    }
    if (x == 0.0) {
      ++s.zeros;
      continue;
    }
    const double size = std::fabs(x);
    s.largest = std::max(s.largest, size);
    s.smallest = s.smallest == 0.0 ? size : std::min(s.smallest, size);
    ++s.exponents[std::ilogb(size)];
    const bool too_large =
        !std::isfinite(y) || (std::fabs(y) == top && size > top) || size >= clamped_at;
    if (too_large) {
      ++s.overflowed;
      if (std::isfinite(y)) ++s.masked;
    }
    if (std::isfinite(y)) {
      error += y - x;
      magnitude += size;
      if (y != 0.0 && std::fabs(y) < normal) ++s.subnormal;
    }
    if (y == 0.0) ++s.flushed;
    for (std::size_t k = 0; k < kRecoveryExponents.size(); ++k) {
      const double scaled = std::ldexp(x, kRecoveryExponents[k]);
      if (y == 0.0 && precision::round_to(scaled, format, precision::Rounding::rne) != 0.0)
        ++s.recovered[k];
      if (std::fabs(scaled) > top) ++s.overflowing[k];
    }
  }
  s.signed_bias = magnitude > 0.0 ? error / magnitude : 0.0;
  return s;
}

void UpdateStatistics::add(const std::vector<double>& old_weight,
                           const std::vector<double>& gradient, const std::vector<double>& before,
                           const std::vector<double>& after) {
  for (std::size_t i = 0; i < after.size(); ++i) {
    ++weights;
    if (gradient[i] == 0.0) continue;
    ++with_gradient;
    if (after[i] == old_weight[i]) ++stalled;
    if (std::fabs(old_weight[i]) >= 2048.0 * std::fabs(before[i] - old_weight[i])) ++small_updates;
  }
}

void UpdateStatistics::add_working(const std::vector<double>& master,
                                   const std::vector<double>& working) {
  for (std::size_t i = 0; i < master.size(); ++i) {
    changed_squares += (working[i] - master[i]) * (working[i] - master[i]);
    master_squares += master[i] * master[i];
  }
  working_drift = master_squares > 0.0 ? std::sqrt(changed_squares / master_squares) : 0.0;
}

}  // namespace npusim::sim
