// SPDX-License-Identifier: Apache-2.0
// The error of an array that comes in pieces. Figures are those of compare() (error_metrics.h), the
// norms to the last few bits: their scale follows the largest magnitude seen so far.
#pragma once

#include <cstdint>

#include "precision/error_counts.h"
#include "precision/neumaier_sum.h"

namespace npusim::precision {

/// Sum of x * y, kept divided by a power of two of each operand's largest magnitude, so that it
/// neither overflows nor vanishes.
class ScaledProducts {
 public:
  void add(double x, double y);
  /// value() * 2^exponent()
  double value() const { return sum_.value(); }
  int exponent() const { return x_exponent_ + y_exponent_; }

 private:
  NeumaierSum sum_;
  int x_exponent_ = 0, y_exponent_ = 0;
  bool empty_ = true;
};

class ErrorStream {
 public:
  explicit ErrorStream(const Format& format) : counts_(format) {}
  void add(const double* y, const double* reference, std::int64_t count);
  ErrorMetrics result() const;

 private:
  ErrorCounts counts_;
  ScaledProducts y_squares_, reference_squares_, error_squares_, products_;
};

}  // namespace npusim::precision
