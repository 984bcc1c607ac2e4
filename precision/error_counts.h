// SPDX-License-Identifier: Apache-2.0
// The part of ErrorMetrics that is counted element by element, in pieces if need be: all but the
// norms.
#pragma once

#include <cstdint>

#include "precision/error_metrics.h"
#include "precision/format.h"
#include "precision/neumaier_sum.h"

namespace npusim::precision {

class ErrorCounts {
 public:
  explicit ErrorCounts(const Format& format) : format_(format) {}
  void add(double y, double reference);
  std::int64_t finite() const { return finite_; }  ///< elements where both are
  ErrorMetrics result() const;

 private:
  Format format_;
  ErrorMetrics m_;
  NeumaierSum bias_, ulps_;
  std::int64_t finite_ = 0, nonzero_reference_ = 0, underflows_ = 0, overflows_ = 0;
};

}  // namespace npusim::precision
