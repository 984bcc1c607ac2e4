// SPDX-License-Identifier: Apache-2.0
// The part of ErrorMetrics that is counted element by element, in pieces if need be: all but the
// norms. Sums run in eight lanes (error_lanes.h), added in lane order at the end.
#pragma once

#include <cstdint>

#include "precision/error_lanes.h"
#include "precision/error_metrics.h"
#include "precision/format.h"

namespace npusim::precision {

class ErrorCounts {
 public:
  explicit ErrorCounts(const Format& format);
  void add(double y, double reference);
  /// The same for one pair after the other, through the vector kernels.
  void add(const double* y, const double* reference, std::int64_t count);

  std::int64_t finite() const;  ///< elements where both are
  /// Largest magnitudes where both are finite.
  double largest_y() const;
  double largest_reference() const;
  ErrorMetrics result() const;

 private:
  Format format_;
  kernels::ErrorFormat plain_;
  bool in_vectors_;  ///< the kernels take the format
  kernels::ErrorLanes lanes_{};
  std::int64_t count_ = 0;
};

}  // namespace npusim::precision
