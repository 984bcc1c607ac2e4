// SPDX-License-Identifier: Apache-2.0
// Vectors of the instruction set this file is compiled for, and sums rounded to odd on them.
// Included by kernel sources only: NPUSIM_KERNELS names the namespace of the instruction set, so
// that no function here is shared between them.
#pragma once

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "precision/kernels/lane_kernel.h"

#ifndef NPUSIM_KERNELS
#error "compiled once per instruction set, with NPUSIM_KERNELS naming its namespace"
#endif
#define NPUSIM_INLINE inline __attribute__((always_inline))

namespace npusim::precision::kernels::NPUSIM_KERNELS {

#if defined(__AVX512F__)
enum { kVectorBytes = 64 };
#elif defined(__AVX2__)
enum { kVectorBytes = 32 };
#else
enum { kVectorBytes = 16 };
#endif

enum { kRne, kRna, kRtz, kRu, kRd, kOdd };  // as precision::Rounding

template <class R, class U, class S>
struct LaneTypes {
  using Real = R;
  typedef R Vector __attribute__((vector_size(kVectorBytes), may_alias));
  typedef U Bits __attribute__((vector_size(kVectorBytes), may_alias));
  typedef S Mask __attribute__((vector_size(kVectorBytes), may_alias));
  using Word = U;
  enum { kWidth = kVectorBytes / sizeof(R) };
  static constexpr U kSign = U(1) << (sizeof(U) * 8 - 1);
};
struct FloatLane : LaneTypes<float, unsigned, int> {
  enum { kFraction = 23, kBias = 127, kLanes = kFloatLanes };
  static constexpr float kLargest = 0x1.fffffep127F;
  static constexpr float kInfinity = __builtin_inff();
  static constexpr float kNan = __builtin_nanf("");
};
struct DoubleLane : LaneTypes<double, unsigned long, long> {
  enum { kFraction = 52, kBias = 1023, kLanes = kDoubleLanes };
  static constexpr double kLargest = 0x1.fffffffffffffp1023;
  static constexpr double kInfinity = __builtin_inf();
  static constexpr double kNan = __builtin_nan("");
};

template <class To, class From>
NPUSIM_INLINE To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}

template <class T>
struct Vectors {
  using Real = typename T::Real;
  using Word = typename T::Word;
  using V = typename T::Vector;
  using B = typename T::Bits;
  using M = typename T::Mask;

  static NPUSIM_INLINE B bits(V x) { return bit_cast<B>(x); }
  static NPUSIM_INLINE V real(B b) { return bit_cast<V>(b); }
  static NPUSIM_INLINE V all(Real x) { return x - V{}; }
  static NPUSIM_INLINE V load(const Real* from) { return *reinterpret_cast<const V*>(from); }
  static NPUSIM_INLINE void store(Real* to, V x) { *reinterpret_cast<V*>(to) = x; }
  static NPUSIM_INLINE V load_anywhere(const Real* from) {
    V x;
    __builtin_memcpy(&x, from, sizeof x);
    return x;
  }
  static NPUSIM_INLINE void store_anywhere(Real* to, V x) { __builtin_memcpy(to, &x, sizeof x); }
  /// The larger of magnitudes, y where x is NaN: one instruction, without a detour over masks.
  static NPUSIM_INLINE V larger(V x, V y);
  /// Some lane of a comparison's result is set.
  static NPUSIM_INLINE bool any(M mask) {
#if defined(__AVX512F__)
    return _mm512_movepi32_mask(bit_cast<__m512i>(mask)) != 0;
#elif defined(__AVX2__)
    return _mm256_movemask_ps(bit_cast<__m256>(mask)) != 0;
#elif defined(__SSE2__)
    return _mm_movemask_ps(bit_cast<__m128>(mask)) != 0;
#else
    typename T::Word set = 0;
    for (int l = 0; l < T::kWidth; ++l) set |= static_cast<typename T::Word>(mask[l]);
    return set != 0;
#endif
  }
  static NPUSIM_INLINE V default_nan(V x) {
    return x == x ? x : all(T::kNan);
  }
  static NPUSIM_INLINE V magnitude(V x) {
    return real(bits(x) & ~T::kSign);
  }
  static NPUSIM_INLINE V with_sign(V magnitude, V sign) {
    return real(bits(magnitude) | (bits(sign) & T::kSign));
  }

  /// An infinite sum of finite terms is the largest finite number, which is odd.
  static NPUSIM_INLINE V finite_overflow(V sum, V x, V y) {
    const M overflow = (magnitude(sum) == T::kInfinity) & (magnitude(x) < T::kInfinity) &
                       (magnitude(y) < T::kInfinity);
    return overflow ? with_sign(all(T::kLargest), sum) : sum;
  }

  /// x + y rounded to odd in the lane type; an exact zero has the sign that kMode gives it. Where
  /// overflow goes to infinity or to saturation alike (rne, rna) it may come out as infinity.
  template <int kMode>
  static NPUSIM_INLINE V odd_sum(V x, V y);
  /// sum + a * b rounded to odd. Exact products only where the instruction set does not fuse.
  template <int kMode>
  static NPUSIM_INLINE V odd_fused(V a, V b, V sum);
  /// The lane type's own sum + a * b: fused where the instruction set can.
  static NPUSIM_INLINE V fused(V a, V b, V sum);
  /// -(a * b) - sum, likewise.
  static NPUSIM_INLINE V negated_fused(V a, V b, V sum);
};

template <class T, int kMode>
NPUSIM_INLINE typename T::Vector odd_by_two_sum(typename T::Vector x, typename T::Vector y) {
  using L = Vectors<T>;
  using V = typename T::Vector;
  const V sum = x + y;
  // TwoSum (Knuth): error is what the rounded sum misses, exactly; NaN when the sum is not finite.
  const V y_part = sum - x;
  const V error = (x - (sum - y_part)) + (y - y_part);
  // Toward zero, then a sticky last bit.
  const typename T::Bits apart = L::bits(error) ^ L::bits(sum);
  const auto one_less = bit_cast<typename T::Mask>(apart) >> (sizeof(typename T::Real) * 8 - 1);
  const V sticky =
      L::real((L::bits(sum) + bit_cast<typename T::Bits>(one_less)) | typename T::Word(1));
  V odd = L::magnitude(error) > typename T::Real(0) ? sticky : sum;
  if (kMode != kRne && kMode != kRna) odd = L::finite_overflow(odd, x, y);
  if (kMode == kRd) {  // an exact zero sum is -0 unless both terms are +0
    const V zero = L::real((L::bits(x) | L::bits(y)) & T::kSign);
    odd = odd == typename T::Real(0) ? zero : odd;
  }
  return odd;
}

#if defined(__AVX512F__)
// Of the sums rounded down and up one is odd unless they are equal; directed rounding never turns a
// finite sum into the infinity of the other side, and the largest finite number is odd.
template <>
template <int kMode>
NPUSIM_INLINE FloatLane::Vector Vectors<FloatLane>::odd_sum(V x, V y) {
  const __m512 down = _mm512_add_round_ps(x, y, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  const __m512 up = _mm512_add_round_ps(x, y, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
  const __m512i one = _mm512_set1_epi32(1);
  if (kMode == kRd)
    return _mm512_mask_mov_ps(down, _mm512_test_epi32_mask(_mm512_castps_si512(up), one), up);
  return _mm512_mask_mov_ps(up, _mm512_test_epi32_mask(_mm512_castps_si512(down), one), down);
}
template <>
template <int kMode>
NPUSIM_INLINE FloatLane::Vector Vectors<FloatLane>::odd_fused(V a, V b, V sum) {
  const __m512 down = _mm512_fmadd_round_ps(a, b, sum, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  const __m512 up = _mm512_fmadd_round_ps(a, b, sum, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
  const __m512i one = _mm512_set1_epi32(1);
  if (kMode == kRd)
    return _mm512_mask_mov_ps(down, _mm512_test_epi32_mask(_mm512_castps_si512(up), one), up);
  return _mm512_mask_mov_ps(up, _mm512_test_epi32_mask(_mm512_castps_si512(down), one), down);
}
template <>
template <int kMode>
NPUSIM_INLINE DoubleLane::Vector Vectors<DoubleLane>::odd_sum(V x, V y) {
  const __m512d down = _mm512_add_round_pd(x, y, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  const __m512d up = _mm512_add_round_pd(x, y, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
  const __m512i one = _mm512_set1_epi64(1);
  if (kMode == kRd)
    return _mm512_mask_mov_pd(down, _mm512_test_epi64_mask(_mm512_castpd_si512(up), one), up);
  return _mm512_mask_mov_pd(up, _mm512_test_epi64_mask(_mm512_castpd_si512(down), one), down);
}
template <>
template <int kMode>
NPUSIM_INLINE DoubleLane::Vector Vectors<DoubleLane>::odd_fused(V a, V b, V sum) {
  const __m512d down = _mm512_fmadd_round_pd(a, b, sum, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  const __m512d up = _mm512_fmadd_round_pd(a, b, sum, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
  const __m512i one = _mm512_set1_epi64(1);
  if (kMode == kRd)
    return _mm512_mask_mov_pd(down, _mm512_test_epi64_mask(_mm512_castpd_si512(up), one), up);
  return _mm512_mask_mov_pd(up, _mm512_test_epi64_mask(_mm512_castpd_si512(down), one), down);
}
#else
template <class T>
template <int kMode>
NPUSIM_INLINE typename T::Vector Vectors<T>::odd_sum(V x, V y) {
  return odd_by_two_sum<T, kMode>(x, y);
}
template <class T>
template <int kMode>
NPUSIM_INLINE typename T::Vector Vectors<T>::odd_fused(V a, V b, V sum) {
  return odd_by_two_sum<T, kMode>(sum, a * b);
}
#endif

#if defined(__AVX512F__)
template <>
NPUSIM_INLINE DoubleLane::Vector Vectors<DoubleLane>::larger(V x, V y) {
  return _mm512_max_pd(x, y);
}
#elif defined(__AVX2__)
template <>
NPUSIM_INLINE DoubleLane::Vector Vectors<DoubleLane>::larger(V x, V y) {
  return _mm256_max_pd(x, y);
}
#endif
template <class T>
NPUSIM_INLINE typename T::Vector Vectors<T>::larger(V x, V y) {
  return x > y ? x : y;
}

#if defined(__AVX512F__)
template <>
NPUSIM_INLINE FloatLane::Vector Vectors<FloatLane>::fused(V a, V b, V sum) {
  return _mm512_fmadd_ps(a, b, sum);
}
template <>
NPUSIM_INLINE DoubleLane::Vector Vectors<DoubleLane>::fused(V a, V b, V sum) {
  return _mm512_fmadd_pd(a, b, sum);
}
#elif defined(__FMA__)
template <>
NPUSIM_INLINE FloatLane::Vector Vectors<FloatLane>::fused(V a, V b, V sum) {
  return _mm256_fmadd_ps(a, b, sum);
}
template <>
NPUSIM_INLINE FloatLane::Vector Vectors<FloatLane>::negated_fused(V a, V b, V sum) {
  return _mm256_fnmsub_ps(a, b, sum);
}
template <>
NPUSIM_INLINE DoubleLane::Vector Vectors<DoubleLane>::fused(V a, V b, V sum) {
  return _mm256_fmadd_pd(a, b, sum);
}
#else
template <class T>
NPUSIM_INLINE typename T::Vector Vectors<T>::fused(V a, V b, V sum) {
  return sum + a * b;
}
template <class T>
NPUSIM_INLINE typename T::Vector Vectors<T>::negated_fused(V a, V b, V sum) {
  return (-a) * b - sum;
}
#endif

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
