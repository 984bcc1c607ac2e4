// SPDX-License-Identifier: Apache-2.0
// Sums without rounding in double lanes, rounded to odd at the end: aligned_sum and ExactSum for
// kDoubleLanes values at once. Included by kernel sources only.
#pragma once

#include "precision/kernels/general_arithmetic.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {

/// What is not finite among values, added up; `any` where there is such a value.
class SpecialSum {
 public:
  using D = Vectors<DoubleLane>;
  using V = DoubleLane::Vector;
  using M = DoubleLane::Mask;
  NPUSIM_INLINE void add(V x) {
    const M special = ~(D::magnitude(x) < DoubleLane::kInfinity);
    sum_ += special ? x : V{};
    any_ |= special;
  }
  NPUSIM_INLINE V or_else(V sum) const { return any_ ? sum_ : sum; }
  NPUSIM_INLINE M any() const { return any_; }

 private:
  V sum_{};
  M any_{};
};

/// An integer below 2^62 as a sum of two parts that are added up apart.
class WideInteger {
 public:
  using V = DoubleLane::Vector;
  NPUSIM_INLINE void add(V x) {
    const V high = small_floor(x * 0x1p-30);
    high_ += high;
    low_ += x - high * 0x1p30;
  }
  NPUSIM_INLINE V rounded_to_odd() const {
    return Vectors<DoubleLane>::template odd_sum<kRtz>(high_ * 0x1p30, low_);
  }

 private:
  V high_{}, low_{};
};

NPUSIM_INLINE DoubleLane::Vector cut(DoubleLane::Vector x, int floors) {
  using D = Vectors<DoubleLane>;
  using V = DoubleLane::Vector;
  const V m = D::magnitude(x);
  const V whole = m < 0x1p52 ? D::with_sign(floor_of_magnitude(m), x) : x;
  if (floors == 0) return whole;
  return whole > x ? whole - 1.0 : whole;
}

/// terms: values, exponents and scale exponents, kDoubleLanes each, one term after the other.
inline void aligned_lanes(const GeneralStage& stage, const double* terms, long count,
                          const double* running, double* value, double* exponent) {
  using D = Vectors<DoubleLane>;
  using V = DoubleLane::Vector;
  enum { kLanes = DoubleLane::kLanes };
  alignas(64) double by[kMostAligned * kLanes];
  alignas(64) double own_by[kLanes];
  for (long i = 0; i < count; ++i) {
    const double* const term = terms + i * 3 * kLanes;
    if (stage.align_by == kByValue) {
      exponents_of(term, NPUSIM_NO_EXPONENT, by + i * kLanes);
      continue;
    }
    const double* const chosen = term + (stage.align_by == kByScale ? 2 * kLanes : int{kLanes});
    for (int l = 0; l < kLanes; ++l) by[i * kLanes + l] = chosen[l];
  }
  if (running != nullptr) exponents_of(running, stage.least_exponent, own_by);
  const int most = stage.fraction_bits > stage.running_bits || running == nullptr
                       ? stage.fraction_bits
                       : stage.running_bits;
  for (int l = 0; l < kLanes; l += DoubleLane::kWidth) {
    SpecialSum special;
    V largest = D::all(stage.lowest);
    const auto raise = [&](V e) { largest = D::larger(e, largest); };
    for (long i = 0; i < count; ++i) {
      special.add(D::load(terms + i * 3 * kLanes + l));
      raise(D::load(by + i * kLanes + l));
    }
    if (running != nullptr) {
      special.add(D::load(running + l));
      raise(D::load(own_by + l));
    }
    const DoubleLane::Mask nothing = (largest < D::all(NPUSIM_NO_EXPONENT / 2)) | special.any();
    const V shift = nothing ? V{} : largest;
    WideInteger sum;
    const auto add = [&](V x, int bits, int floors) {
      const V kept = cut(x * power_of(bits - shift), floors);
      sum.add(kept * power_of(D::all(most - bits)));
    };
    for (long i = 0; i < count; ++i) {
      const V x = D::load(terms + i * 3 * kLanes + l);
      add(D::magnitude(x) < DoubleLane::kInfinity ? x : V{}, stage.fraction_bits, stage.floors);
    }
    if (running != nullptr) {
      V own = D::load(running + l);
      own = D::magnitude(own) < DoubleLane::kInfinity ? own : V{};
      if (stage.gap >= 0) own = D::load(own_by + l) < largest - stage.gap ? V{} : own;
      add(own, stage.running_bits, stage.running_floors);
    }
    const V total = sum.rounded_to_odd() * power_of(shift - most);
    D::store(value + l, special.or_else(nothing ? V{} : total));
    D::store(exponent + l, nothing ? D::all(NPUSIM_NO_EXPONENT) : largest);
  }
}

/// Kahan's distillation: after as many passes of error-free additions as there are numbers, they do
/// not overlap, the largest last; then odd sums from the smallest up lose nothing that matters.
NPUSIM_INLINE DoubleLane::Vector distilled(DoubleLane::Vector* x, long count) {
  using V = DoubleLane::Vector;
  for (long pass = 1; pass < count; ++pass) {
    for (long i = 1; i < count; ++i) {
      const V sum = x[i] + x[i - 1];
      const V part = sum - x[i];
      x[i - 1] = (x[i] - (sum - part)) + (x[i - 1] - part);
      x[i] = sum;
    }
  }
  V sum = x[0];
  for (long i = 1; i < count; ++i) sum = Vectors<DoubleLane>::template odd_sum<kRtz>(x[i], sum);
  return sum;
}

/// A fixed-point number in digits of 32 bits, each a whole number in binary64 that carries late.
class DigitSum {
 public:
  using D = Vectors<DoubleLane>;
  using V = DoubleLane::Vector;
  explicit NPUSIM_INLINE DigitSum(const GeneralStage& stage)
      : limbs_(stage.limbs), lowest_(stage.lowest_limb) {
    for (int i = 0; i < limbs_; ++i) digit_[i] = V{};
  }
  NPUSIM_INLINE void add(V x) {
    V rest = D::magnitude(x);
    double unit = power(lowest_ + 32 * (limbs_ - 1));
    for (int i = limbs_ - 1; i > 0; --i, unit *= 0x1p-32) {
      const V part = floor_of_magnitude(rest * (1.0 / unit));
      digit_[i] += D::with_sign(part, x);
      rest -= part * unit;
    }
    digit_[0] += D::with_sign(rest * (1.0 / unit), x);
  }
  NPUSIM_INLINE V rounded_to_odd() {
    carry();
    // Digits of a negative number would cancel: of its magnitude they do not.
    const DoubleLane::Mask negative = digit_[limbs_ - 1] < V{};
    for (int i = 0; i < limbs_; ++i) digit_[i] = negative ? -digit_[i] : digit_[i];
    carry();
    V sum{};
    double unit = power(lowest_);
    for (int i = 0; i < limbs_; ++i, unit *= 0x1p32)
      sum = D::template odd_sum<kRtz>(digit_[i] * unit, sum);
    return negative ? -sum : sum;
  }

 private:
  static double power(int exponent) {
    return bit_cast<double>(static_cast<unsigned long>(DoubleLane::kBias + exponent)
                            << int{DoubleLane::kFraction});
  }
  NPUSIM_INLINE void carry() {
    for (int i = 0; i + 1 < limbs_; ++i) {
      const V over = small_floor(digit_[i] * 0x1p-32);
      digit_[i] -= over * 0x1p32;
      digit_[i + 1] += over;
    }
  }

  int limbs_, lowest_;
  V digit_[kMostLimbs];
};

/// Values cut into kParts parts relative to the largest of them, 38 bits and 45 more for each
/// (Rump, Ogita & Oishi 2008: adding and taking away a large power of two rounds to a multiple of a
/// small one, and what is left is exact). False where some value reaches below.
template <int kParts>
NPUSIM_INLINE bool windowed(const double* terms, long count, long stride,
                            DoubleLane::Vector running, DoubleLane::Vector largest,
                            DoubleLane::Vector& sum) {
  using D = Vectors<DoubleLane>;
  using V = DoubleLane::Vector;
  V lift[kParts], part[kParts];
  for (int i = 0; i < kParts; ++i) {
    lift[i] = i == 0 ? leading_power(largest) * 0x1.8p15 : lift[i - 1] * 0x1p-45;
    part[i] = V{};
  }
  V left{};
  const auto take = [&](V x) {
#pragma GCC unroll 3
    for (int i = 0; i < kParts; ++i) {
      const V multiple = (x + lift[i]) - lift[i];
      part[i] += multiple;
      x -= multiple;
    }
    left = D::real(D::bits(left) | D::bits(x));
  };
  for (long i = 0; i < count; ++i) take(D::load(terms + i * stride));
  take(running);
  sum = distilled(part, kParts);
  return !D::any(D::magnitude(left) > V{});
}

/// The same without a window.
NPUSIM_INLINE DoubleLane::Vector wide_sum(const GeneralStage& stage, const double* terms,
                                          long count, long stride, DoubleLane::Vector running) {
  using D = Vectors<DoubleLane>;
  if (stage.limbs == 0) {
    DoubleLane::Vector all[kMostExactTerms + 1];
    for (long i = 0; i < count; ++i) all[i] = D::load(terms + i * stride);
    all[count] = running;
    return distilled(all, count + 1);
  }
  DigitSum digits(stage);
  for (long i = 0; i < count; ++i) digits.add(D::load(terms + i * stride));
  digits.add(running);
  return digits.rounded_to_odd();
}

/// What a sum of zeros is: -0 where every value is (rounding down: unless every value is +0).
NPUSIM_INLINE DoubleLane::Vector zero_sum(const double* terms, long count, long stride,
                                          const double* running, bool rounds_down) {
  using D = Vectors<DoubleLane>;
  using B = DoubleLane::Bits;
  const DoubleLane::Vector minus_zero = D::all(-0.0);
  B minus = ~B{};
  B any{};
  const auto look = [&](DoubleLane::Vector x) {
    minus &= bit_cast<B>(D::bits(x) == D::bits(minus_zero));
    any |= D::bits(x);
  };
  for (long i = 0; i < count; ++i) look(D::load(terms + i * stride));
  if (running != nullptr) look(D::load(running));
  if (rounds_down) return any == B{} ? DoubleLane::Vector{} : minus_zero;
  return D::real(minus & D::bits(minus_zero));
}

/// Takes special values out of the terms: lanes that have any become sums of zeros.
inline void silence(double* terms, long count, long stride, DoubleLane::Mask finite) {
  using D = Vectors<DoubleLane>;
  for (long i = 0; i < count; ++i) {
    double* const at = terms + i * stride;
    D::store(at, finite ? D::load(at) : DoubleLane::Vector{});
  }
}

/// terms is of no use afterwards.
inline void exact_lanes(const GeneralStage& stage, double* terms, long count, long stride,
                        const double* running, double* value) {
  using D = Vectors<DoubleLane>;
  using V = DoubleLane::Vector;
  const bool rounds_down = stage.arithmetic.lanes.mode == kRd && stage.arithmetic.stochastic == 0;
  for (int l = 0; l < DoubleLane::kLanes; l += DoubleLane::kWidth) {
    double* const from = terms + l;
    const double* const own_at = running != nullptr ? running + l : nullptr;
    V own = running != nullptr ? D::load(own_at) : V{};
    V plain = own;
    V largest = D::magnitude(own);
    for (long i = 0; i < count; ++i) {
      const V x = D::load(from + i * stride);
      plain += x;
      largest = D::larger(D::magnitude(x), largest);
    }
    // Exponents are moderate: a sum of finite values is finite.
    const DoubleLane::Mask finite = D::magnitude(plain) < DoubleLane::kInfinity;
    if (D::any(~finite)) {
      silence(from, count, stride, finite);
      own = finite ? own : V{};
      largest = finite ? largest : V{};
    }
    V sum = plain;
    if (stage.plain_sum == 0 && !windowed<2>(from, count, stride, own, largest, sum) &&
        !windowed<3>(from, count, stride, own, largest, sum))
      sum = wide_sum(stage, from, count, stride, own);
    if (D::any(sum == V{})) {
      const V zero = zero_sum(from, count, stride, own_at, rounds_down);
      sum = sum == V{} ? zero : sum;
    }
    D::store(value + l, finite ? sum : plain);
  }
}

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
