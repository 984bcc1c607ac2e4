// SPDX-License-Identifier: Apache-2.0
// A sum of binary64 values without any rounding: a fixed-point number as wide as the whole range of
// binary64 (Kulisch's long accumulator). Meaning of exact stages, and the reference of
// explanations.
#pragma once

#include <array>
#include <cstdint>

namespace npusim::precision {

class ExactSum {
 public:
  /// Up to 2^29 values.
  void add(double x);
  /// The sum rounded to odd at 53 bits, so that rounding it to at most 51 rounds the true sum.
  /// Infinities and NaN as IEEE addition. An exact zero is -0 when every value was -0, else +0.
  double rounded_to_odd() const;

 private:
  // Bit 0 is worth 2^-1074. Digits of 32 bits that borrow and carry late.
  static constexpr int kDigits = (1074 + 1024) / 32 + 3;
  std::array<std::int64_t, kDigits> digits_{};
  double special_ = 0.0;  ///< sum of what is not finite
  bool has_special_ = false;
  bool all_minus_zero_ = true;
  bool empty_ = true;
};

}  // namespace npusim::precision
