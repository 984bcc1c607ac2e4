// SPDX-License-Identifier: Apache-2.0
// Neumaier's compensated sum: the error of long sums stays at the level of one rounding.
#pragma once

#include <cmath>

namespace npusim::precision {

class NeumaierSum {
 public:
  NeumaierSum() = default;
  NeumaierSum(double sum, double lost) : sum_(sum), lost_(lost) {}
  void add(double x) {
    const double t = sum_ + x;
    lost_ += std::fabs(sum_) >= std::fabs(x) ? (sum_ - t) + x : (x - t) + sum_;
    sum_ = t;
  }
  void multiply_by_power_of_two(int exponent) {
    sum_ = std::ldexp(sum_, exponent);
    lost_ = std::ldexp(lost_, exponent);
  }
  double sum() const { return sum_; }
  double lost() const { return lost_; }  ///< what the roundings took
  double value() const { return sum_ + lost_; }

 private:
  double sum_ = 0.0;
  double lost_ = 0.0;
};

/// Several such sums, added one after the other.
inline double sum_of_lanes(const double* sums, const double* lost, int lanes) {
  NeumaierSum total;
  for (int lane = 0; lane < lanes; ++lane) {
    total.add(sums[lane]);
    total.add(lost[lane]);
  }
  return total.value();
}

}  // namespace npusim::precision
