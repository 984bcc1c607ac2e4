// SPDX-License-Identifier: Apache-2.0
// Error of an array against a reference, with the field's names. All sums are taken in double with
// Neumaier compensation, elements i, i + 8, i + 16, ... in order and then those eight sums in
// order, so they depend neither on threads nor on the SIMD path.
#pragma once

#include <cstdint>
#include <optional>

#include "precision/format.h"

namespace npusim::precision {

struct ErrorMetrics {
  std::int64_t count = 0;
  double max_abs = 0.0;           ///< max |y - ref|
  double max_rel = 0.0;           ///< max |y - ref| / |ref| over ref != 0
  std::optional<double> rel_fro;  ///< ||y - ref|| / ||ref||; none when ||ref|| is 0
  double rmse = 0.0;
  std::optional<double> sqnr_db;  ///< 20 log10(||ref|| / ||y - ref||); none when either is 0
  std::optional<double> cosine;   ///< none when either norm is 0
  double ulp_max = 0.0;           ///< |y - ref| in units of the last place of `format` at ref
  double ulp_mean = 0.0;
  double bias = 0.0;           ///< mean of y - ref: signed
  std::int64_t nan = 0;        ///< elements of y
  std::int64_t inf = 0;        ///< elements of y
  double underflow_pct = 0.0;  ///< 100 * (y == 0 and ref != 0) / (ref != 0)
  double overflow_pct =
      0.0;  ///< 100 * (y is inf or |y| is max finite, |ref| > max finite or finite ref) / count
};

/// Elements where y or ref is not finite count in nan/inf only and stay out of the sums.
ErrorMetrics compare(const double* y, const double* reference, std::int64_t count,
                     const Format& format);

/// Distance between consecutive values of the format around |x| (subnormal spacing below
/// min_normal).
double ulp_of(double x, const Format& format);

}  // namespace npusim::precision
