// SPDX-License-Identifier: Apache-2.0
// Loops over panels with one arithmetic each, partial sums in registers, and the table that picks
// them. Included by kernel sources only.
#pragma once

#include "precision/kernels/lane_arithmetic.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {

/// Rows of init are T::kLanes apart, those of out out_stride; init may be out. NaN comes out as the
/// default one. Lanes from `lanes` on may be left out.
template <class Real>
using Chain = void (*)(const LaneArithmetic& arithmetic, const Real* a, long a_stride, long rows,
                       const Real* panel, long lanes, long terms, const Real* init, Real* out,
                       long out_stride);

/// What one LaneArithmetic does to blocks of lanes.
template <class T>
struct Operations {
  using Real = typename T::Real;
  /// x = round(x + y) and x = round(x) over count values, a multiple of kFloatLanes' vectors.
  void (*add)(const LaneArithmetic& a, Real* x, const Real* y, long count);
  void (*round)(const LaneArithmetic& a, Real* x, long count);
  /// out[row][lane] = round(sum + a * panel), term by term, from init or +0; unfused rounds the
  /// product as well, narrow likewise where init holds values of the format (nullptr: no gain).
  Chain<Real> chain, unfused_chain, narrow_chain;
  /// out[lane] = pairwise sum of exact products; terms is a power of two. nullptr for the rarer
  /// arithmetics, whose trees go through memory.
  void (*tree)(const LaneArithmetic& arithmetic, const Real* a, const Real* panel, long terms,
               Real* out);
};

template <class A>
void add_blocks(const LaneArithmetic& arithmetic, typename A::Lane::Real* x,
                const typename A::Lane::Real* y, long count) {
  using L = Vectors<typename A::Lane>;
  const A a(arithmetic);
  for (long i = 0; i < count; i += A::Lane::kWidth)
    L::store(x + i, a.add(L::load(x + i), L::load(y + i)));
}

template <class A>
void round_blocks(const LaneArithmetic& arithmetic, typename A::Lane::Real* x, long count) {
  using L = Vectors<typename A::Lane>;
  const A a(arithmetic);
  for (long i = 0; i < count; i += A::Lane::kWidth) L::store(x + i, a.round(L::load(x + i)));
}

/// kTileRows rows by kTileVectors vectors of running sums stay in registers over all terms.
template <class A, int kTileRows, int kTileVectors>
NPUSIM_INLINE void chain_tile(const A& arithmetic, const typename A::Lane::Real* a, long a_stride,
                              const typename A::Lane::Real* panel, long terms,
                              const typename A::Lane::Real* init, typename A::Lane::Real* out,
                              long out_stride) {
  using T = typename A::Lane;
  using L = Vectors<T>;
  typename T::Vector sum[kTileRows][kTileVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < kTileVectors; ++v)
      sum[r][v] =
          init == nullptr ? typename T::Vector{} : L::load(init + r * T::kLanes + v * T::kWidth);
  for (long k = 0; k < terms; ++k) {
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
      const typename T::Vector x = L::all(a[r * a_stride + k]);
#pragma GCC unroll 16
      for (int v = 0; v < kTileVectors; ++v)
        sum[r][v] = arithmetic.fused(x, L::load(panel + k * T::kLanes + v * T::kWidth), sum[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < kTileVectors; ++v)
      L::store_anywhere(out + r * out_stride + v * T::kWidth, L::default_nan(sum[r][v]));
}

/// What is left of the rows below a whole tile goes through smaller ones.
constexpr int smaller_tile(int rows) {
  return rows == 3 ? 2 : rows / 2;
}

template <class A, int kTileRows, int kTileVectors>
void chain_rows(const LaneArithmetic& arithmetic, const typename A::Lane::Real* a, long a_stride,
                long rows, const typename A::Lane::Real* panel, long lanes, long terms,
                const typename A::Lane::Real* init, typename A::Lane::Real* out, long out_stride) {
  using T = typename A::Lane;
  const A with(arithmetic);
  constexpr int kTile = kTileVectors * T::kWidth;
  static_assert(T::kLanes % kTile == 0, "whole tiles");
  long row = 0;
  for (; row + kTileRows <= rows; row += kTileRows)
    for (long l = 0; l < lanes; l += kTile) {
      const auto* from = init == nullptr ? nullptr : init + row * T::kLanes + l;
      auto* to = out + row * out_stride + l;
      if constexpr (kTile > kLanesAtOnce) {
        static_assert(kTile == 2 * kLanesAtOnce, "half a tile");
        if (lanes - l <= kLanesAtOnce) {
          chain_tile<A, kTileRows, kTileVectors / 2>(with, a + row * a_stride, a_stride, panel + l,
                                                     terms, from, to, out_stride);
          break;
        }
      }
      chain_tile<A, kTileRows, kTileVectors>(with, a + row * a_stride, a_stride, panel + l, terms,
                                             from, to, out_stride);
    }
  if constexpr (kTileRows > 1)
    if (row < rows)
      chain_rows<A, smaller_tile(kTileRows), kTileVectors>(
          arithmetic, a + row * a_stride, a_stride, rows - row, panel, lanes, terms,
          init == nullptr ? nullptr : init + row * T::kLanes, out + row * out_stride, out_stride);
}

/// Tiles of the chains: registers for native ones (32 with AVX-512, else 16), and enough sums under
/// way to cover the latency of the others.
#if defined(__AVX512F__)
enum { kNativeRows = 6, kNativeVectors = 4, kOddRows = 3, kOddVectors = 4 };
#elif defined(__AVX2__)
enum { kNativeRows = 6, kNativeVectors = 2, kOddRows = 2, kOddVectors = 2 };
#else
enum { kNativeRows = 4, kNativeVectors = 2, kOddRows = 1, kOddVectors = 4 };
#endif

#if defined(__SSE2__) && !defined(__AVX512F__)
/// The chain with the processor rounding down. Not inlined: what it computes must stay between the
/// two changes of the mode.
template <class A>
__attribute__((noinline)) void downward_rows(const LaneArithmetic& arithmetic, const float* a,
                                             long a_stride, long rows, const float* panel,
                                             long lanes, long terms, const float* init, float* out,
                                             long out_stride) {
  chain_rows<A, kOddRows, kOddVectors>(arithmetic, a, a_stride, rows, panel, lanes, terms, init,
                                       out, out_stride);
}

template <class A>
void downward_chain(const LaneArithmetic& arithmetic, const float* a, long a_stride, long rows,
                    const float* panel, long lanes, long terms, const float* init, float* out,
                    long out_stride) {
  const unsigned mode = _mm_getcsr();
  _mm_setcsr((mode & ~unsigned{_MM_ROUND_MASK}) | _MM_ROUND_DOWN);
  downward_rows<A>(arithmetic, a, a_stride, rows, panel, lanes, terms, init, out, out_stride);
  _mm_setcsr(mode);
}
#endif

template <class A, int kTerms>
NPUSIM_INLINE typename A::Lane::Vector tree_of(const A& arithmetic, const typename A::Lane::Real* a,
                                               const typename A::Lane::Real* panel) {
  using T = typename A::Lane;
  if constexpr (kTerms == 1) {
    return a[0] * Vectors<T>::load(panel);
  } else if constexpr (kTerms == 2) {
    return arithmetic.add(a[0] * Vectors<T>::load(panel),
                          a[1] * Vectors<T>::load(panel + T::kLanes));
  } else {
    return arithmetic.add_rounded(
        tree_of<A, kTerms / 2>(arithmetic, a, panel),
        tree_of<A, kTerms / 2>(arithmetic, a + kTerms / 2, panel + kTerms / 2 * T::kLanes));
  }
}

/// Trees of kLeaves, joined as a binary counter joins its carries.
template <class A, int kLeaves>
void tree_blocks(const LaneArithmetic& arithmetic, const typename A::Lane::Real* a,
                 const typename A::Lane::Real* panel, long terms, typename A::Lane::Real* out) {
  using T = typename A::Lane;
  using V = typename T::Vector;
  const A with(arithmetic);
  for (int l = 0; l < T::kLanes; l += T::kWidth) {
    V waiting[8];  // one a level: kMaxGroup is 2^8
    V sum{};
    for (long leaf = 0; leaf * kLeaves < terms; ++leaf) {
      sum = tree_of<A, kLeaves>(with, a + leaf * kLeaves, panel + leaf * kLeaves * T::kLanes + l);
      int level = 0;
      for (; ((leaf >> level) & 1) != 0; ++level) sum = with.add_rounded(waiting[level], sum);
      waiting[level] = sum;
    }
    Vectors<T>::store(out + l, with.round(sum));
  }
}

template <class A>
void any_tree(const LaneArithmetic& arithmetic, const typename A::Lane::Real* a,
              const typename A::Lane::Real* panel, long terms, typename A::Lane::Real* out) {
  if (terms % 16 == 0) return tree_blocks<A, 16>(arithmetic, a, panel, terms, out);
  return tree_blocks<A, 2>(arithmetic, a, panel, terms, out);
}

template <class T>
Operations<T> native_operations() {
  using A = NativeArithmetic<T>;
  return {add_blocks<A>,
          round_blocks<A>,
          chain_rows<A, kNativeRows, kNativeVectors>,
          chain_rows<Unfused<A>, kNativeRows, kNativeVectors>,
          nullptr,
          any_tree<A>};
}

template <class A>
Operations<typename A::Lane> odd_operations() {
  return {add_blocks<A>,
          round_blocks<A>,
          chain_rows<A, kOddRows, kOddVectors>,
          chain_rows<Unfused<A>, kOddRows, kOddVectors>,
          nullptr,
          nullptr};
}

template <class A>
Operations<typename A::Lane> frequent_operations() {
  Operations<typename A::Lane> operations = odd_operations<A>();
  operations.tree = any_tree<A>;
  return operations;
}

/// RNE to at most 11 bits.
template <class Rounder>
Operations<FloatLane> narrow_operations() {
  using A = OddArithmetic<FloatLane, kRne, Rounder, true>;
  Operations<FloatLane> operations = frequent_operations<A>();
  operations.narrow_chain = chain_rows<Unfused<A, true>, kOddRows, kOddVectors>;
#if defined(__SSE2__) && !defined(__AVX512F__)
  if constexpr (!Rounder::kUsesProcessorRounding)
    operations.chain = downward_chain<DownwardArithmetic<kRne, Rounder>>;
#endif
  return operations;
}

/// Wide formats have binary32's exponent range: in double lanes they are narrow.
template <class T, int kMode>
Operations<T> operations_in_mode(const LaneArithmetic& a) {
  if constexpr (sizeof(typename T::Real) == sizeof(float))
    if (a.shape == kWide)
      return odd_operations<OddArithmetic<T, kMode, WideRounder<T, kMode, false>>>();
  return odd_operations<OddArithmetic<T, kMode, NarrowRounder<T, kMode>>>();
}

template <class T>
Operations<T> operations_of(const LaneArithmetic& a) {
  if (a.shape == kNative) return native_operations<T>();
  if constexpr (sizeof(typename T::Real) == sizeof(float)) {
    if (a.shape == kHalf) return narrow_operations<HalfRounder>();
    if (a.shape == kPlainWide) return narrow_operations<WideRounder<T, kRne, true>>();
  } else {
    if (a.shape == kSingle) return frequent_operations<OddArithmetic<T, kRne, SingleRounder>>();
  }
  switch (a.mode) {
    case kRne:
      return operations_in_mode<T, kRne>(a);
    case kRna:
      return operations_in_mode<T, kRna>(a);
    case kRtz:
      return operations_in_mode<T, kRtz>(a);
    case kRu:
      return operations_in_mode<T, kRu>(a);
    case kRd:
      return operations_in_mode<T, kRd>(a);
    default:
      return operations_in_mode<T, kOdd>(a);
  }
}

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
