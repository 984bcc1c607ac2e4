// SPDX-License-Identifier: Apache-2.0
#include "precision/error_counts.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "precision/kernels/dispatch.h"
#include "precision/neumaier_sum.h"

namespace npusim::precision {
namespace {

using kernels::kErrorLanes;

void add_compensated(double x, double& sum, double& lost) {
  NeumaierSum total(sum, lost);
  total.add(x);
  sum = total.sum();
  lost = total.lost();
}

template <class Number>
Number total(const Number* lanes) {
  Number result{};
  for (int lane = 0; lane < kErrorLanes; ++lane) result += lanes[lane];
  return result;
}

double largest(const double* lanes) {
  return *std::max_element(lanes, lanes + kErrorLanes);
}

}  // namespace

ErrorCounts::ErrorCounts(const Format& format)
    : format_(format), plain_{format.max_finite(), format.min_exponent(), format.fraction_bits} {
  in_vectors_ =
      plain_.min_exponent - plain_.fraction_bits >= std::numeric_limits<double>::min_exponent - 1;
}

void ErrorCounts::add(double y, double reference) {
  const auto lane = static_cast<std::size_t>(count_++ % kErrorLanes);
  kernels::ErrorLanes& e = lanes_;
  e.nan[lane] += std::isnan(y) ? 1 : 0;
  e.inf[lane] += std::isinf(y) ? 1 : 0;
  if (reference != 0.0) ++e.nonzero_reference[lane];
  if (y == 0.0 && reference != 0.0) ++e.underflows[lane];
  const bool saturated =
      std::fabs(y) == plain_.max_finite && std::fabs(reference) > plain_.max_finite;
  if (std::isfinite(reference) && (std::isinf(y) || saturated)) ++e.overflows[lane];
  if (!std::isfinite(y) || !std::isfinite(reference)) return;
  ++e.finite[lane];
  const double error = y - reference;
  const double magnitude = std::fabs(error);
  const double in_ulps = magnitude / ulp_of(reference, format_);
  const auto keep_larger = [](double x, double& kept) { kept = std::max(kept, x); };
  keep_larger(magnitude, e.max_abs[lane]);
  if (reference != 0.0) keep_larger(magnitude / std::fabs(reference), e.max_rel[lane]);
  keep_larger(in_ulps, e.max_ulps[lane]);
  keep_larger(std::fabs(y), e.largest_y[lane]);
  keep_larger(std::fabs(reference), e.largest_reference[lane]);
  add_compensated(in_ulps, e.ulps[lane], e.ulps_lost[lane]);
  add_compensated(error, e.bias[lane], e.bias_lost[lane]);
}

void ErrorCounts::add(const double* y, const double* reference, std::int64_t count) {
  constexpr std::int64_t kBlock = 512;  // of both arrays: 8 kB
  const auto& kernel = kernels::chosen_kernels().error_counts;
  std::int64_t at = 0;
  for (; at < count && (!in_vectors_ || count_ % kErrorLanes != 0); ++at) add(y[at], reference[at]);
  while (count - at >= kErrorLanes) {
    const std::int64_t length = std::min(kBlock, (count - at) / kErrorLanes * kErrorLanes);
    kernel(plain_, y + at, reference + at, static_cast<long>(length), lanes_);
    count_ += length;
    at += length;
  }
  for (; at < count; ++at) add(y[at], reference[at]);
}

std::int64_t ErrorCounts::finite() const {
  return total(lanes_.finite);
}
double ErrorCounts::largest_y() const {
  return largest(lanes_.largest_y);
}
double ErrorCounts::largest_reference() const {
  return largest(lanes_.largest_reference);
}

ErrorMetrics ErrorCounts::result() const {
  ErrorMetrics m;
  m.count = count_;
  m.nan = total(lanes_.nan);
  m.inf = total(lanes_.inf);
  m.max_abs = largest(lanes_.max_abs);
  m.max_rel = largest(lanes_.max_rel);
  m.ulp_max = largest(lanes_.max_ulps);
  const auto count = static_cast<double>(finite());
  if (count > 0) {
    m.ulp_mean = sum_of_lanes(lanes_.ulps, lanes_.ulps_lost, kErrorLanes) / count;
    m.bias = sum_of_lanes(lanes_.bias, lanes_.bias_lost, kErrorLanes) / count;
  }
  const long nonzero = total(lanes_.nonzero_reference);
  if (nonzero > 0)
    m.underflow_pct =
        100.0 * static_cast<double>(total(lanes_.underflows)) / static_cast<double>(nonzero);
  if (m.count > 0)
    m.overflow_pct =
        100.0 * static_cast<double>(total(lanes_.overflows)) / static_cast<double>(m.count);
  return m;
}

}  // namespace npusim::precision
