// SPDX-License-Identifier: Apache-2.0
// Rounding and rounded sums on vectors: what round_to and rounded_sum do to one value, for a
// vector. Included by kernel sources only.
#pragma once

#include "precision/kernels/vector.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {

template <class T>
NPUSIM_INLINE typename T::Vector patched(typename T::Vector x, int patches) {
  using V = typename T::Vector;
  if ((patches & kNanIsZero) != 0) x = x == x ? x : V{};
  if ((patches & kNoNegativeZero) != 0) x = x == V{} ? V{} : x;
  return x;
}

/// The exponent range of the lane type itself: dropping low bits of the fraction is one integer
/// addition, subnormals and the carry into infinity included.
template <class T, int kMode, bool kPlain>
class WideRounder {
 public:
  using L = Vectors<T>;
  using V = typename T::Vector;
  using B = typename T::Bits;
  using M = typename T::Mask;
  using Real = typename T::Real;
  using Word = typename T::Word;
  static constexpr bool kUsesProcessorRounding = false;

  explicit NPUSIM_INLINE WideRounder(const LaneArithmetic& a)
      : drop_(T::kFraction - a.fraction_bits),
        low_((Word(1) << drop_) - 1),
        largest_(static_cast<Real>(a.max_finite)),
        infinity_(static_cast<Real>(a.infinity)),
        beyond_(static_cast<Real>(a.beyond)),
        beyond_negative_(static_cast<Real>(a.beyond_negative)),
        flush_below_(static_cast<Real>(a.flush_below)),
        tiny_(static_cast<Real>(a.tiny)),
        tiny_negative_(static_cast<Real>(a.tiny_negative)),
        patches_(a.patches) {}

  NPUSIM_INLINE V operator()(V x) const {
    if (kPlain && kMode == kRne) {  // no carry reaches the sign: NaN has no low bits
      const B bits = L::bits(x);
      return L::real((bits + (low_ >> 1) + ((bits >> drop_) & Word(1))) & ~low_);
    }
    const B m = L::bits(x) & ~T::kSign;
    B up = B{};  // what carries into the kept bits when the dropped ones say so
    if (kMode == kRne) up = ((m >> drop_) & Word(1)) + (low_ >> 1);
    if (kMode == kRna) up = (low_ >> 1) + 1 + B{};
    if (kMode == kRu) up = bit_cast<B>(L::bits(x) == m) & low_;
    if (kMode == kRd) up = bit_cast<B>(L::bits(x) != m) & low_;
    B kept = (m + up) & ~low_;
    if (kMode == kOdd) kept |= bit_cast<B>((m & low_) != Word(0)) & (low_ + 1);
    V r = L::real(kept);
    if (kPlain) return L::with_sign(r, x);
    const V magnitude = L::real(m);
    const M positive = L::bits(x) == m;
    const V beyond = positive ? L::all(beyond_) : L::all(beyond_negative_);
    r = r > largest_ ? (magnitude == T::kInfinity ? L::all(infinity_) : beyond) : r;
    r = r < flush_below_ ? V{} : r;
    r = magnitude < (positive ? L::all(tiny_) : L::all(tiny_negative_)) ? V{} : r;
    return patched<T>(L::with_sign(r, x), patches_);
  }

 private:
  int drop_;
  Word low_;
  Real largest_, infinity_, beyond_, beyond_negative_, flush_below_, tiny_, tiny_negative_;
  int patches_;
};

/// A narrower range: the sum with 1.5 * 2^k, k such that its last place is the format's quantum
/// around the value, holds the value in quanta. Needs two spare bits and (max_exponent + 1) one
/// binade and fraction_bits below the lane type's largest: dispatch.cpp checks.
template <class T, int kMode>
class NarrowRounder {
 public:
  using L = Vectors<T>;
  using V = typename T::Vector;
  using B = typename T::Bits;
  using M = typename T::Mask;
  using Real = typename T::Real;
  using Word = typename T::Word;
  static constexpr bool kUsesProcessorRounding = true;

  explicit NPUSIM_INLINE NarrowRounder(const LaneArithmetic& a)
      : least_(static_cast<Word>(a.min_exponent + T::kBias) << T::kFraction),
        most_(static_cast<Word>(a.max_exponent + 1 + T::kBias) << T::kFraction),
        lift_((static_cast<Word>(T::kFraction - a.fraction_bits) << T::kFraction) |
              (Word(1) << (T::kFraction - 1))),
        largest_(static_cast<Real>(a.max_finite)),
        infinity_(static_cast<Real>(a.infinity)),
        beyond_(static_cast<Real>(a.beyond)),
        beyond_negative_(static_cast<Real>(a.beyond_negative)),
        flush_below_(static_cast<Real>(a.flush_below)),
        tiny_(static_cast<Real>(a.tiny)),
        tiny_negative_(static_cast<Real>(a.tiny_negative)),
        patches_(a.patches) {}

  NPUSIM_INLINE V operator()(V x) const {
    const V m = L::magnitude(x);
    const M negative = L::bits(x) != L::bits(m);
    B exponent = L::bits(m) & L::bits(L::all(T::kInfinity));
    exponent = exponent < least_ ? least_ + B{} : exponent;
    exponent = exponent > most_ ? most_ + B{} : exponent;
    const V lift = L::real(exponent + lift_);
    const V lifted = m + lift;
    V r = lifted - lift;
    if (kMode != kRne) r = directed(x, m, lift, lifted, r);
    r = r > largest_ ? (negative ? L::all(beyond_negative_) : L::all(beyond_)) : r;
    if (kMode != kRne && kMode != kRna) r = m == T::kInfinity ? L::all(infinity_) : r;
    r = r < flush_below_ ? V{} : r;
    r = m < (negative ? L::all(tiny_negative_) : L::all(tiny_)) ? V{} : r;
    return patched<T>(L::with_sign(r, x), patches_);
  }

 private:
  NPUSIM_INLINE V directed(V x, V m, V lift, V lifted, V nearest) const {
    const B floor = L::bits(lifted) + bit_cast<B>(nearest > m);  // a mask is minus one
    const V floor_value = L::real(floor) - lift;
    const V rest = m - floor_value;
    M up = M{};  // never for NaN: its payload must stay what WideRounder's integers can bear
    if (kMode == kRna) up = rest + rest >= L::real(floor + Word(1)) - L::real(floor);
    if (kMode == kRu) up = (floor_value < m) & (L::bits(x) == L::bits(m));
    if (kMode == kRd) up = (floor_value < m) & (L::bits(x) != L::bits(m));
    if (kMode == kOdd) up = (floor_value < m) & ((floor & Word(1)) == Word(0));
    return L::real(floor - bit_cast<B>(up)) - lift;
  }

  Word least_, most_, lift_;
  Real largest_, infinity_, beyond_, beyond_negative_, flush_below_, tiny_, tiny_negative_;
  int patches_;
};

/// A narrower range whose subnormal numbers are rare: without any, floats are rounded as if the
/// range were their own.
template <int kMode>
class MostlyNormalRounder {
 public:
  using V = FloatLane::Vector;
  explicit NPUSIM_INLINE MostlyNormalRounder(const LaneArithmetic& a)
      : normal_(a), any_(a), least_(subnormal_limit(a)) {}
  NPUSIM_INLINE V operator()(V x) const { return any_subnormal(x, least_) ? any_(x) : normal_(x); }

  /// One less than the encoding of the smallest normal number.
  static NPUSIM_INLINE unsigned subnormal_limit(const LaneArithmetic& a) {
    return (static_cast<unsigned>(a.min_exponent + FloatLane::kBias) << FloatLane::kFraction) - 1;
  }
  /// Zeros do not count.
  static NPUSIM_INLINE bool any_subnormal(V x, unsigned limit) {
    const FloatLane::Bits m = Vectors<FloatLane>::bits(x) & ~FloatLane::kSign;
    return Vectors<FloatLane>::any(bit_cast<FloatLane::Mask>((m - 1U) < limit));
  }

 private:
  WideRounder<FloatLane, kMode, false> normal_;
  NarrowRounder<FloatLane, kMode> any_;
  unsigned least_;
};

#if defined(__AVX512F__) || defined(__F16C__)
class HalfRounder {
 public:
  static constexpr bool kUsesProcessorRounding = false;
  explicit NPUSIM_INLINE HalfRounder(const LaneArithmetic&) {}
  NPUSIM_INLINE FloatLane::Vector operator()(FloatLane::Vector x) const {
#if defined(__AVX512F__)
    return _mm512_cvtph_ps(_mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#else
    return _mm256_cvtph_ps(_mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#endif
  }
};
#else
using HalfRounder = NarrowRounder<FloatLane, kRne>;
#endif

class SingleRounder {
 public:
  explicit NPUSIM_INLINE SingleRounder(const LaneArithmetic&) {}
  NPUSIM_INLINE DoubleLane::Vector operator()(DoubleLane::Vector x) const {
    typedef float Half __attribute__((vector_size(kVectorBytes / 2)));
    return __builtin_convertvector(__builtin_convertvector(x, Half), DoubleLane::Vector);
  }
};

/// Sums that round once: exactly, to odd in the lane type, then to the format. kNarrow: RNE to at
/// most 11 bits in float lanes, where sums of values of the format may be rounded to the lane type
/// first (Figueroa 1995: 24 bits are 2 * 11 + 2).
template <class T, int kMode, class Rounder, bool kNarrow = false>
class OddArithmetic {
 public:
  using Lane = T;
  using V = typename T::Vector;
  explicit NPUSIM_INLINE OddArithmetic(const LaneArithmetic& a) : rounder_(a) {}
  NPUSIM_INLINE V round(V x) const { return rounder_(x); }
  NPUSIM_INLINE V add(V x, V y) const {
    return rounder_(Vectors<T>::template odd_sum<kMode>(x, y));
  }
  /// Of values of the format itself.
  NPUSIM_INLINE V add_rounded(V x, V y) const {
    if (kNarrow) return rounder_(x + y);
    return add(x, y);
  }
  NPUSIM_INLINE V fused(V a, V b, V sum) const {
    return rounder_(Vectors<T>::template odd_fused<kMode>(a, b, sum));
  }

 private:
  Rounder rounder_;
};

template <class T>
class NativeArithmetic {
 public:
  using Lane = T;
  using V = typename T::Vector;
  explicit NPUSIM_INLINE NativeArithmetic(const LaneArithmetic&) {}
  NPUSIM_INLINE V round(V x) const { return x; }
  NPUSIM_INLINE V add(V x, V y) const { return x + y; }
  NPUSIM_INLINE V add_rounded(V x, V y) const { return x + y; }
  NPUSIM_INLINE V fused(V a, V b, V sum) const { return Vectors<T>::fused(a, b, sum); }
};

#if defined(__SSE2__) && !defined(__AVX512F__)
/// Fused sums to odd while the processor rounds down: -(-x - y) is x + y rounded up, and one of the
/// two is odd unless they are equal. For rounders that do not use the processor's rounding.
template <int kMode, class Rounder>
class DownwardArithmetic {
 public:
  using Lane = FloatLane;
  using V = Lane::Vector;
  using L = Vectors<Lane>;
  explicit NPUSIM_INLINE DownwardArithmetic(const LaneArithmetic& a) : rounder_(a) {}
  NPUSIM_INLINE V fused(V a, V b, V sum) const {
    const V down = L::fused(a, b, sum);
    const V up = L::real(L::bits(L::negated_fused(a, b, sum)) ^ Lane::kSign);
    // An exact zero is +0 rounded up, and -0 rounded down.
    const V first = kMode == kRd ? up : down;
    const V second = kMode == kRd ? down : up;
#if defined(__AVX2__)
    const V first_is_odd = L::real(L::bits(first) << 31);
    return rounder_(_mm256_blendv_ps(second, first, first_is_odd));
#else
    const Lane::Bits mask = -(L::bits(first) & 1U);
    return rounder_(L::real((L::bits(first) & mask) | (L::bits(second) & ~mask)));
#endif
  }

 private:
  Rounder rounder_;
};
#endif

/// Product and sum each rounded; kRounded: the sum it starts from is a value of the format.
template <class Arithmetic, bool kRounded = false>
class Unfused {
 public:
  using Lane = typename Arithmetic::Lane;
  using V = typename Lane::Vector;
  explicit NPUSIM_INLINE Unfused(const LaneArithmetic& a) : arithmetic_(a) {}
  NPUSIM_INLINE V fused(V a, V b, V sum) const {
    const V product = arithmetic_.round(a * b);
    return kRounded ? arithmetic_.add_rounded(sum, product) : arithmetic_.add(sum, product);
  }

 private:
  Arithmetic arithmetic_;
};

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
