// SPDX-License-Identifier: Apache-2.0
// Loops over panels with one arithmetic each, partial sums in registers, and the table that picks
// them. Included by kernel sources only.
#pragma once

#include "precision/kernels/lane_arithmetic.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {

/// What one LaneArithmetic does to blocks of lanes.
template <class T>
struct Operations {
  using Real = typename T::Real;
  /// x = round(x + y) and x = round(x) over count values, a multiple of the lanes.
  void (*add)(const LaneArithmetic& a, Real* x, const Real* y, long count);
  void (*round)(const LaneArithmetic& a, Real* x, long count);
  /// sums[row][lane] = round(sum + a * panel), term by term; unfused rounds the product as well.
  void (*chain)(const LaneArithmetic& arithmetic, const Real* a, long a_stride, long rows,
                const Real* panel, long terms, Real* sums);
  void (*unfused_chain)(const LaneArithmetic& arithmetic, const Real* a, long a_stride, long rows,
                        const Real* panel, long terms, Real* sums);
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
                              typename A::Lane::Real* sums) {
  using T = typename A::Lane;
  using L = Vectors<T>;
  typename T::Vector sum[kTileRows][kTileVectors];
  for (int r = 0; r < kTileRows; ++r)
    for (int v = 0; v < kTileVectors; ++v)
      sum[r][v] = L::load(sums + r * T::kLanes + v * T::kWidth);
  for (long k = 0; k < terms; ++k) {
    for (int r = 0; r < kTileRows; ++r) {
      const typename T::Vector x = L::all(a[r * a_stride + k]);
      for (int v = 0; v < kTileVectors; ++v)
        sum[r][v] = arithmetic.fused(x, L::load(panel + k * T::kLanes + v * T::kWidth), sum[r][v]);
    }
  }
  for (int r = 0; r < kTileRows; ++r)
    for (int v = 0; v < kTileVectors; ++v)
      L::store(sums + r * T::kLanes + v * T::kWidth, sum[r][v]);
}

template <class A, int kTileRows, int kTileVectors>
void chain_rows(const LaneArithmetic& arithmetic, const typename A::Lane::Real* a, long a_stride,
                long rows, const typename A::Lane::Real* panel, long terms,
                typename A::Lane::Real* sums) {
  using T = typename A::Lane;
  const A with(arithmetic);
  constexpr int kTile = kTileVectors * T::kWidth;
  static_assert(T::kLanes % kTile == 0, "whole tiles");
  long row = 0;
  for (; row + kTileRows <= rows; row += kTileRows)
    for (int l = 0; l < T::kLanes; l += kTile)
      chain_tile<A, kTileRows, kTileVectors>(with, a + row * a_stride, a_stride, panel + l, terms,
                                             sums + row * T::kLanes + l);
  for (; kTileRows > 1 && row < rows; ++row)
    for (int l = 0; l < T::kLanes; l += kTile)
      chain_tile<A, 1, kTileVectors>(with, a + row * a_stride, a_stride, panel + l, terms,
                                     sums + row * T::kLanes + l);
}

template <class A, int kTerms>
NPUSIM_INLINE typename A::Lane::Vector tree_of(const A& arithmetic, const typename A::Lane::Real* a,
                                               const typename A::Lane::Real* panel) {
  using T = typename A::Lane;
  if constexpr (kTerms == 1) {
    return a[0] * Vectors<T>::load(panel);
  } else {
    return arithmetic.add(
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
      for (; ((leaf >> level) & 1) != 0; ++level) sum = with.add(waiting[level], sum);
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

/// Registers: 16 vector registers below AVX-512, 32 with it.
enum { kNativeVectors = kVectorBytes == 64 ? 4 : 2, kOddVectors = kVectorBytes == 64 ? 4 : 2 };

template <class T>
Operations<T> native_operations() {
  using A = NativeArithmetic<T>;
  return {add_blocks<A>, round_blocks<A>, chain_rows<A, kRows, kNativeVectors>,
          chain_rows<Unfused<A>, kRows, kNativeVectors>, any_tree<A>};
}

template <class A>
Operations<typename A::Lane> odd_operations() {
  return {add_blocks<A>, round_blocks<A>, chain_rows<A, 1, kOddVectors>,
          chain_rows<Unfused<A>, 1, kOddVectors>, nullptr};
}

template <class A>
Operations<typename A::Lane> frequent_operations() {
  Operations<typename A::Lane> operations = odd_operations<A>();
  operations.tree = any_tree<A>;
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
    if (a.shape == kHalf) return frequent_operations<OddArithmetic<T, kRne, HalfRounder>>();
    if (a.shape == kPlainWide)
      return frequent_operations<OddArithmetic<T, kRne, WideRounder<T, kRne, true>>>();
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
