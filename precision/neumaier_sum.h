// SPDX-License-Identifier: Apache-2.0
// Neumaier's compensated sum: the error of long sums stays at the level of one rounding.
#pragma once

#include <cmath>

namespace npusim::precision {

class NeumaierSum {
 public:
  void add(double x) {
    const double t = sum_ + x;
    lost_ += std::fabs(sum_) >= std::fabs(x) ? (sum_ - t) + x : (x - t) + sum_;
    sum_ = t;
  }
  void multiply_by_power_of_two(int exponent) {
    sum_ = std::ldexp(sum_, exponent);
    lost_ = std::ldexp(lost_, exponent);
  }
  double value() const { return sum_ + lost_; }

 private:
  double sum_ = 0.0;
  double lost_ = 0.0;
};

}  // namespace npusim::precision
