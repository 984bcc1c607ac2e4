// SPDX-License-Identifier: Apache-2.0
// Roundings of kDoubleLanes values at once for the general kernel, stochastic ones included, and
// the exponents by which terms are aligned. Included by kernel sources only.
#pragma once

#include "precision/kernels/general_kernel.h"
#include "precision/kernels/operations.h"
#include "precision/kernels/stochastic.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {

/// floor(x) of magnitudes below 2^51.
NPUSIM_INLINE DoubleLane::Vector small_floor(DoubleLane::Vector x) {
  using D = Vectors<DoubleLane>;
  const DoubleLane::Vector lift = D::all(0x1.8p52);
  const DoubleLane::Vector nearest = (x + lift) - lift;
  return nearest > x ? nearest - 1.0 : nearest;
}

/// floor(x) of x >= 0 below 2^52.
NPUSIM_INLINE DoubleLane::Vector floor_of_magnitude(DoubleLane::Vector x) {
  const DoubleLane::Vector lift = Vectors<DoubleLane>::all(0x1p52);
  const DoubleLane::Vector nearest = (x + lift) - lift;
  return nearest > x ? nearest - 1.0 : nearest;
}

/// 2^floor(log2 |x|), of normal numbers.
NPUSIM_INLINE DoubleLane::Vector leading_power(DoubleLane::Vector x) {
  using D = Vectors<DoubleLane>;
  return D::real(D::bits(x) & D::bits(D::all(DoubleLane::kInfinity)));
}

/// 2^e of whole numbers within binary64's normal range.
NPUSIM_INLINE DoubleLane::Vector power_of(DoubleLane::Vector e) {
  using D = Vectors<DoubleLane>;
  const DoubleLane::Vector biased = e + (0x1p52 + DoubleLane::kBias);
  return D::real(D::bits(biased) << int{DoubleLane::kFraction});
}

/// max(floor(log2 |x|), least); none of zeros and of what is not finite. Subnormal doubles do not
/// occur.
inline void exponents_of(const double* x, double least, double* to) {
  using D = Vectors<DoubleLane>;
  using V = DoubleLane::Vector;
  for (int l = 0; l < DoubleLane::kLanes; l += DoubleLane::kWidth) {
    const V value = D::load(x + l);
    const V magnitude = D::magnitude(value);
    const DoubleLane::Bits field = D::bits(magnitude) >> int{DoubleLane::kFraction};
    V e = D::real(field | D::bits(D::all(0x1p52))) - (0x1p52 + DoubleLane::kBias);
    e = e < least ? D::all(least) : e;
    const DoubleLane::Mask plain = (magnitude < DoubleLane::kInfinity) & (value != V{});
    D::store(to + l, plain ? e : D::all(NPUSIM_NO_EXPONENT));
  }
}

/// The random words of every lane's output; all lanes round at the same places.
struct GeneralWords {
  const unsigned* key_low;
  const unsigned* key_high;
  unsigned counter;

  /// The next word's first `bits` bits, as numbers.
  void take(int bits, double* to) {
    using B = FloatLane::Bits;
    for (int l = 0; l < DoubleLane::kLanes; l += FloatLane::kWidth) {
      B low, high;
      __builtin_memcpy(&low, key_low + l, sizeof low);
      __builtin_memcpy(&high, key_high + l, sizeof high);
      const B word = RandomWords(low, high)(counter + B{}) >> static_cast<unsigned>(32 - bits);
      for (int i = 0; i < FloatLane::kWidth; ++i) to[l + i] = static_cast<double>(word[i]);
    }
    ++counter;
  }
};

/// Of the part below the last place the first random_bits bits and as many random ones are added; 1
/// or more goes up.
class StochasticDoubles {
 public:
  using D = Vectors<DoubleLane>;
  using V = DoubleLane::Vector;

  static void round(const LaneArithmetic& a, double* x, const double* random) {
    const V least = power_of(D::all(a.min_exponent));
    const V places = power_of(D::all(a.fraction_bits));
    const V one = power_of(D::all(a.random_bits));
    for (int l = 0; l < DoubleLane::kLanes; l += DoubleLane::kWidth) {
      const V value = D::load(x + l);
      const V m = D::magnitude(value);
      V power = leading_power(m);
      power = power < least ? least : power;
      const V finite = m < DoubleLane::kInfinity ? m : V{};
      power = m < DoubleLane::kInfinity ? power : least;
      const V in_places = finite / power * places;  // powers of two: exact
      const V kept = small_floor(in_places);
      const V first = small_floor((in_places - kept) * one);
      const V up = first + D::load(random + l) >= one ? D::all(1.0) : V{};
      V r = (kept + up) / places * power;
      r = r > D::all(a.max_finite) ? D::all(a.infinity) : r;
      r = r < D::all(a.flush_below) ? V{} : r;
      r = m == DoubleLane::kInfinity ? D::all(a.infinity) : r;
      r = m == m ? r : m;
      D::store(x + l, patched<DoubleLane>(D::default_nan(D::with_sign(r, value)), a.patches));
    }
  }
};

/// One place of rounding. x = round(x) and x = round(x + y), kDoubleLanes values each.
class GeneralRounding {
 public:
  enum { kLanes = DoubleLane::kLanes };

  GeneralRounding() = default;
  explicit GeneralRounding(const GeneralArithmetic& arithmetic)
      : arithmetic_(&arithmetic), operations_() {
    if (arithmetic.stochastic == 0) operations_ = operations_of<DoubleLane>(arithmetic.lanes);
  }
  void round(double* x, GeneralWords& words) const {
    if (arithmetic_->stochastic != 0) return round_at_random(x, words);
    operations_.round(arithmetic_->lanes, x, kLanes);
  }
  void add(double* x, const double* y, GeneralWords& words) const {
    if (arithmetic_->stochastic == 0) return operations_.add(arithmetic_->lanes, x, y, kLanes);
    for (int l = 0; l < kLanes; l += DoubleLane::kWidth)
      Vectors<DoubleLane>::store(
          x + l, Vectors<DoubleLane>::template odd_sum<kRtz>(Vectors<DoubleLane>::load(x + l),
                                                             Vectors<DoubleLane>::load(y + l)));
    round_at_random(x, words);
  }

 private:
  void round_at_random(double* x, GeneralWords& words) const {
    alignas(64) double random[kLanes];
    words.take(arithmetic_->lanes.random_bits, random);
    StochasticDoubles::round(arithmetic_->lanes, x, random);
  }

  const GeneralArithmetic* arithmetic_ = nullptr;
  Operations<DoubleLane> operations_;
};

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
