// SPDX-License-Identifier: Apache-2.0
#include "precision/exact_sum.h"

#include <cmath>

namespace npusim::precision {
namespace {

constexpr int kLowest = -1074;
constexpr std::int64_t kBase = std::int64_t{1} << 32;

}  // namespace

void ExactSum::add(double x) {
  empty_ = false;
  if (!(x == 0.0 && std::signbit(x))) all_minus_zero_ = false;
  if (!std::isfinite(x)) {
    special_ += x;
    has_special_ = true;
    return;
  }
  if (x == 0.0) return;
  int exponent = 0;
  const double fraction = std::frexp(x, &exponent);
  std::int64_t significand = static_cast<std::int64_t>(std::ldexp(fraction, 53));
  int place = exponent - 53 - kLowest;
  if (place < 0) {  // subnormal: the low bits are zeros
    significand /= std::int64_t{1} << -place;
    place = 0;
  }
  const auto digit = static_cast<std::size_t>(place / 32);
  const int shift = place % 32;
  const bool negative = significand < 0;
  const auto magnitude = static_cast<std::uint64_t>(negative ? -significand : significand);
  const std::uint64_t low = (magnitude & 0xffffffffU) << shift;
  const std::uint64_t high = (magnitude >> 32) << shift;
  const std::int64_t parts[3] = {static_cast<std::int64_t>(low & 0xffffffffU),
                                 static_cast<std::int64_t>((low >> 32) + (high & 0xffffffffU)),
                                 static_cast<std::int64_t>(high >> 32)};
  for (std::size_t i = 0; i < 3; ++i) digits_[digit + i] += negative ? -parts[i] : parts[i];
}

double ExactSum::rounded_to_odd() const {
  if (has_special_) return special_;
  // Carry through; the sign is that of the leading digit.
  std::array<std::int64_t, kDigits> digits = digits_;
  const auto carry_through = [&digits] {
    for (std::size_t i = 0; i + 1 < digits.size(); ++i) {
      const std::int64_t carry = digits[i] >> 32;
      digits[i] -= carry * kBase;
      digits[i + 1] += carry;
    }
  };
  carry_through();
  const bool negative = digits.back() < 0;
  if (negative) {
    for (std::int64_t& digit : digits) digit = -digit;
    carry_through();
  }
  int top = kDigits - 1;
  while (top >= 0 && digits[static_cast<std::size_t>(top)] == 0) --top;
  if (top < 0) return all_minus_zero_ && !empty_ ? -0.0 : 0.0;

  // The leading 64 to 96 bits hold 53 and more; what lies below only decides whether all is exact.
  const auto digit_at = [&digits](int i) {
    return i < 0 ? std::uint64_t{0}
                 : static_cast<std::uint64_t>(digits[static_cast<std::size_t>(i)]);
  };
  bool sticky = false;
  for (int i = top - 3; i >= 0; --i) sticky = sticky || digit_at(i) != 0;
  int length = 0;
  while ((digit_at(top) >> length) != 0) ++length;
  std::uint64_t leading = (digit_at(top) << 32) | digit_at(top - 1);  // length + 32 bits
  std::uint64_t rest = digit_at(top - 2);
  int exponent = kLowest + 32 * (top - 1);
  // Normalise to 64 bits, then keep 53.
  const int lift = 32 - length;
  if (lift > 0) {
    leading = (leading << lift) | (rest >> (32 - lift));
    rest = (rest << lift) & 0xffffffffU;
    exponent -= lift;
  }
  sticky = sticky || rest != 0 || (leading & 0x7ff) != 0;
  const std::uint64_t kept = leading >> 11;
  // Below binary64's normal range there is nothing to drop: every value added is a multiple of
  // 2^-1074, and so is the sum.
  const double magnitude = std::ldexp(static_cast<double>(kept | (sticky ? 1 : 0)), exponent + 11);
  if (std::isinf(magnitude)) return negative ? -0x1.fffffffffffffp1023 : 0x1.fffffffffffffp1023;
  return negative ? -magnitude : magnitude;
}

}  // namespace npusim::precision
