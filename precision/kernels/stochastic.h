// SPDX-License-Identifier: Apache-2.0
// Stochastic rounding of float lanes, and random words by index as counter_random.h makes them.
// Included by kernel sources only.
#pragma once

#include "precision/kernels/lane_arithmetic.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {

/// Words of one stream, or of one stream a lane.
class RandomWords {
 public:
  using B = FloatLane::Bits;
  static constexpr unsigned kStep = 0x9e3779b9U;

  NPUSIM_INLINE RandomWords(B low, B high) : low_(low), high_(high) {}
  NPUSIM_INLINE B operator()(B counter) const { return word(counter * kStep + low_, high_); }
  /// Of counter * kStep + the key's low half.
  static NPUSIM_INLINE B word(B counted, B high) {
    B x = (counted ^ (counted >> 16)) * 0x21f0aaadU;
    x = ((x ^ (x >> 15)) + high) * 0xd35a2d97U;
    return x ^ (x >> 15);
  }

 private:
  B low_, high_;
};

/// Of the significand's dropped bits the first `random_bits` and as many random ones are added; the
/// carry goes into what is kept.
class StochasticRounder {
 public:
  using T = FloatLane;
  using L = Vectors<T>;
  using V = T::Vector;
  using B = T::Bits;
  using M = T::Mask;

  explicit NPUSIM_INLINE StochasticRounder(const LaneArithmetic& a)
      : least_(static_cast<unsigned>(a.min_exponent + T::kBias)),
        drop_(static_cast<unsigned>(T::kFraction - a.fraction_bits)),
        bits_(static_cast<unsigned>(a.random_bits)),
        used_(drop_ < bits_ ? drop_ : bits_),
        low_((1U << drop_) - 1),
        limit_((static_cast<unsigned>(a.min_exponent + T::kBias) << T::kFraction) - 1),
        quanta_(L::real((B{} + static_cast<unsigned>(T::kBias - a.fraction_bits)) << 23)),
        largest_(static_cast<float>(a.max_finite)),
        infinity_(static_cast<float>(a.infinity)),
        flush_below_(static_cast<float>(a.flush_below)),
        patches_(a.patches) {}

  NPUSIM_INLINE V operator()(V x, B random) const {
    return L::any(subnormal(x)) ? any(x, random) : normal(x, random);
  }

  /// Where the result is subnormal in the format, zeros not counted.
  NPUSIM_INLINE M subnormal(V x) const {
    return bit_cast<M>(((L::bits(x) & ~T::kSign) - 1U) < limit_);
  }

  /// Nowhere subnormal.
  NPUSIM_INLINE V normal(V x, B random) const {
    const B m = L::bits(x) & ~T::kSign;
    // Nothing is dropped, and no bit used, of formats as wide as the lanes'.
    const B added = used_ == 0 ? B{} : (random >> (32U - used_)) << (drop_ - used_);
    return finished(L::real((m + added) & ~low_), m, x);
  }

  NPUSIM_INLINE V any(V x, B random) const {
    const B m = L::bits(x) & ~T::kSign;
    const V r = of_any(m, random);
    return finished(r < L::all(flush_below_) ? V{} : r, m, x);
  }

 private:
  NPUSIM_INLINE V finished(V r, B m, V x) const {
    r = r > L::all(largest_) ? L::all(infinity_) : r;
    r = m > 0x7f800000U ? L::all(T::kNan) : L::with_sign(r, x);
    return patched<T>(r, patches_);
  }

  /// Subnormal results drop other bits than normal ones, from lane to lane.
  NPUSIM_INLINE V of_any(B m, B random) const {
    const B field = m >> 23;
    const B hidden = bit_cast<B>(field != 0U) & 0x800000U;
    const B significand = (m & 0x7fffffU) | hidden;
    const B own = smaller(field, 1U + B{}, false);
    const B quantum = smaller(own, least_ + B{}, false);
    const B drop = quantum - own + drop_;
    const B shift = smaller(drop, 31U + B{}, true);
    const B kept = significand >> shift;
    const B rest = significand - (kept << shift);
    // Aligned so that random_bits bits lie before the point.
    const B less = smaller(drop, bits_ + B{}, true);
    const B more = smaller(drop - less, 31U + B{}, true);
    const B first = (rest >> more) << (bits_ - less);
    const B sum = kept + ((first + (random >> (32U - bits_))) >> bits_);
    const V scale = L::real(quantum << 23);
    const V r = (__builtin_convertvector(bit_cast<M>(sum), V) * quanta_) * scale;
    return m >= 0x7f800000U ? L::all(T::kInfinity) : r;
  }

  static NPUSIM_INLINE B smaller(B x, B y, bool least) {
    const M x_less = bit_cast<M>(x) < bit_cast<M>(y);
    return least ? (x_less ? x : y) : (x_less ? y : x);
  }

  unsigned least_, drop_, bits_, used_, low_, limit_;
  V quanta_;
  float largest_, infinity_, flush_below_;
  int patches_;
};

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
