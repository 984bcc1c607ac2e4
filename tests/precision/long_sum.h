// SPDX-License-Identifier: Apache-2.0
// Integer arithmetic of the second models of the MAC units (unit_models.h): numbers taken apart,
// sums in a fixed-point number wide enough for every product of binary32 operands with power-of-two
// block scales, and one rounding. Shares nothing with precision/.
#pragma once

#include <array>
#include <cstdint>

namespace npusim::precision::model {

/// What matters of a format here. Formats are known by these three numbers alone.
struct Float {
  int precision;     ///< significand bits, the hidden one included
  int min_exponent;  ///< of the smallest normal number
  int max_exponent;  ///< of the largest number
};
constexpr Float kFp32{24, -126, 127}, kBf16{8, -126, 127}, kFp16{11, -14, 15};
constexpr Float kTf32{11, -126, 127}, kE8m13{14, -126, 127}, kE6m9{10, -30, 31};
constexpr Float kE8m4{5, -126, 127}, kE8m6{7, -126, 127};
constexpr Float kE4m3{4, -6, 8}, kE5m2{3, -14, 15}, kE4m3Fnuz{4, -7, 7}, kE5m2Fnuz{3, -15, 15};
constexpr Float kE2m1{2, 0, 2}, kE2m3{4, 0, 2}, kE3m2{3, -2, 4};

enum class Mode { nearest_even, toward_zero, odd, stochastic };
enum class Tiny {
  keep,
  flush_rounded,  ///< results that are subnormal after rounding become zero
  flush_after,    ///< x86: tiny when rounded with an exponent without lower end
  flush_before,   ///< Arm: tiny before rounding
};
enum class Over { infinity, largest };

struct Rule {
  Float format;
  Mode mode = Mode::nearest_even;
  Tiny tiny = Tiny::keep;
  Over over = Over::infinity;
  int random_bits = 0;
};

/// digits * 2^exponent, digits odd; zero: digits 0.
struct Number {
  bool negative = false;
  std::uint64_t digits = 0;
  int exponent = 0;
};
Number number_of(double finite);
/// Exact; the digits of both together must fit 64 bits.
Number product_of(const Number& x, const Number& y);

/// floor(log2 |x|), subnormals those of the smallest normal number; x finite and not zero.
int exponent_of(double x, const Float& format);
/// Zero of its sign for a subnormal.
double without_subnormals(double x, const Float& format);

/// An exact sum of numbers, infinities and NaN.
class LongSum {
 public:
  LongSum& add(double x);
  LongSum& add_product(double x, double y);
  LongSum& add(const Number& x);
  bool is_nan() const { return nan_ || (plus_infinity_ && minus_infinity_); }
  bool is_infinite() const { return plus_infinity_ || minus_infinity_; }
  /// `random` decides stochastic roundings. A sum of nothing but -0 is -0, any other zero is +0.
  double rounded(const Rule& rule, std::uint32_t random = 0) const;

 private:
  static constexpr int kLowest = -320;  ///< exponent of bit 0
  static constexpr int kLimbs = 11;
  using Limbs = std::array<std::uint64_t, kLimbs>;

  bool is_negative() const { return (limbs_.back() >> 63) != 0; }
  Limbs magnitude() const;

  Limbs limbs_{};  ///< two's complement
  bool nan_ = false, plus_infinity_ = false, minus_infinity_ = false;
  bool only_minus_zero_ = true;
};

}  // namespace npusim::precision::model
