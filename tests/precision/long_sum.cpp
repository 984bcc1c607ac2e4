// SPDX-License-Identifier: Apache-2.0
#include "long_sum.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace npusim::precision::model {
namespace {

/// Bits of a magnitude: bit 0 is the lowest.
template <class Limbs>
class Bits {
 public:
  explicit Bits(const Limbs& limbs) : limbs_(limbs) {}

  int highest() const {  ///< -1: none
    int limb = static_cast<int>(limbs_.size()) - 1;
    while (limb >= 0 && limbs_[static_cast<std::size_t>(limb)] == 0) --limb;
    int bit = 64 * limb + 63;
    while (limb >= 0 && !at(bit)) --bit;
    return limb < 0 ? -1 : bit;
  }
  bool at(int i) const {
    return i >= 0 && ((limbs_[static_cast<std::size_t>(i / 64)] >> (i % 64)) & 1);
  }
  bool any_below(int i) const {
    for (int limb = 0; limb < i / 64; ++limb)
      if (limbs_[static_cast<std::size_t>(limb)] != 0) return true;
    return i > 0 && i % 64 != 0 &&
           (limbs_[static_cast<std::size_t>(i / 64)] & ((std::uint64_t{1} << (i % 64)) - 1)) != 0;
  }
  /// The 64 bits from `first` on, as an integer; what is below the lowest bit is zero.
  std::uint64_t from(int first) const {
    if (first < 0) return first <= -64 ? 0 : from(0) << -first;
    const std::size_t limb = static_cast<std::size_t>(first / 64);
    if (limb >= limbs_.size()) return 0;
    const std::uint64_t low = limbs_[limb] >> (first % 64);
    if (first % 64 == 0 || limb + 1 == limbs_.size()) return low;
    return low | (limbs_[limb + 1] << (64 - first % 64));
  }

 private:
  const Limbs& limbs_;
};

template <class Limbs>
bool goes_up(const Bits<Limbs>& bits, int quantum, const Rule& rule, std::uint32_t random) {
  const bool half = bits.at(quantum - 1), below_half = bits.any_below(quantum - 1);
  const bool is_odd = bits.at(quantum);
  switch (rule.mode) {
    case Mode::nearest_even:
      return half && (below_half || is_odd);
    case Mode::toward_zero:
      return false;
    case Mode::odd:
      return (half || below_half) && !is_odd;
    case Mode::stochastic: {
      const std::uint64_t mask = (std::uint64_t{1} << rule.random_bits) - 1;
      const std::uint64_t discarded = bits.from(quantum - rule.random_bits) & mask;
      const std::uint64_t chance = random >> (32 - rule.random_bits);
      return discarded + chance > mask;
    }
  }
  return false;
}

}  // namespace

Number number_of(double finite) {
  Number n;
  n.negative = std::signbit(finite);
  if (finite == 0.0) return n;
  int exponent = 0;
  n.digits = static_cast<std::uint64_t>(std::ldexp(std::frexp(std::fabs(finite), &exponent), 53));
  n.exponent = exponent - 53;
  for (; (n.digits & 1) == 0; n.digits >>= 1) ++n.exponent;
  return n;
}

Number product_of(const Number& x, const Number& y) {
  if (x.digits != 0 && y.digits > std::numeric_limits<std::uint64_t>::max() / x.digits)
    throw std::logic_error("product of more than 64 bits");
  return {x.negative != y.negative, x.digits * y.digits, x.exponent + y.exponent};
}

int exponent_of(double x, const Float& format) {
  return std::max(std::ilogb(x), format.min_exponent);
}

double without_subnormals(double x, const Float& format) {
  return std::fabs(x) < std::ldexp(1.0, format.min_exponent) ? std::copysign(0.0, x) : x;
}

LongSum& LongSum::add(const Number& x) {
  only_minus_zero_ = only_minus_zero_ && x.negative && x.digits == 0;
  if (x.digits == 0) return *this;
  const int place = x.exponent - kLowest;
  if (place < 0 || place >= 64 * (kLimbs - 1)) throw std::logic_error("outside the long sum");
  Limbs term{};
  const std::size_t limb = static_cast<std::size_t>(place / 64);
  term[limb] = x.digits << (place % 64);
  if (place % 64 != 0) term[limb + 1] = x.digits >> (64 - place % 64);
  std::uint64_t carry = x.negative ? 1 : 0;  // minus t is (not t) + 1
  for (std::size_t i = 0; i < term.size(); ++i) {
    const std::uint64_t digit = x.negative ? ~term[i] : term[i];
    const std::uint64_t sum = limbs_[i] + digit;
    const std::uint64_t total = sum + carry;
    carry = (sum < digit || total < sum) ? 1 : 0;
    limbs_[i] = total;
  }
  return *this;
}

LongSum& LongSum::add(double x) {
  if (std::isfinite(x)) return add(number_of(x));
  only_minus_zero_ = false;
  if (std::isnan(x))
    nan_ = true;
  else
    (x > 0 ? plus_infinity_ : minus_infinity_) = true;
  return *this;
}

LongSum& LongSum::add_product(double x, double y) {
  if (std::isfinite(x) && std::isfinite(y)) return add(product_of(number_of(x), number_of(y)));
  if (std::isnan(x) || std::isnan(y) || x == 0.0 || y == 0.0)
    return add(std::numeric_limits<double>::quiet_NaN());
  const double infinity = std::numeric_limits<double>::infinity();
  return add(std::signbit(x) != std::signbit(y) ? -infinity : infinity);
}

LongSum::Limbs LongSum::magnitude() const {
  if (!is_negative()) return limbs_;
  Limbs m{};
  std::uint64_t carry = 1;
  for (std::size_t i = 0; i < m.size(); ++i) {
    m[i] = ~limbs_[i] + carry;
    carry = carry != 0 && m[i] == 0 ? 1 : 0;
  }
  return m;
}

double LongSum::rounded(const Rule& rule, std::uint32_t random) const {
  const Float& f = rule.format;
  const double largest =
      std::ldexp(std::ldexp(1.0, f.precision) - 1.0, f.max_exponent - f.precision + 1);
  const double beyond =
      rule.over == Over::infinity ? std::numeric_limits<double>::infinity() : largest;
  if (is_nan()) return std::numeric_limits<double>::quiet_NaN();
  if (is_infinite()) return plus_infinity_ ? beyond : -beyond;
  const Limbs limbs = magnitude();
  const Bits<Limbs> bits(limbs);
  const int highest = bits.highest();
  if (highest < 0) return only_minus_zero_ ? -0.0 : 0.0;
  const double sign = is_negative() ? -1.0 : 1.0;

  const int unbounded = highest - (f.precision - 1);  // the last place without a lowest exponent
  const int quantum = std::max(unbounded, f.min_exponent - (f.precision - 1) - kLowest);
  const auto round_at = [&](int place) {
    const std::uint64_t steps = bits.from(place) + (goes_up(bits, place, rule, random) ? 1U : 0U);
    return std::ldexp(static_cast<double>(steps), place + kLowest);
  };
  const double normal = std::ldexp(1.0, f.min_exponent);
  const double result = round_at(quantum);
  const bool flushed =
      (rule.tiny == Tiny::flush_rounded && result < normal) ||
      (rule.tiny == Tiny::flush_before && highest + kLowest < f.min_exponent) ||
      (rule.tiny == Tiny::flush_after && unbounded < quantum && round_at(unbounded) < normal);
  if (flushed) return sign * 0.0;
  return sign * (result > largest ? beyond : result);
}

}  // namespace npusim::precision::model
