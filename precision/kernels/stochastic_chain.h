// SPDX-License-Identifier: Apache-2.0
// Chains whose sums are rounded stochastically: the exact sum cut to the lanes' 24 bits shows every
// bit that decides, and each lane has the random words of its own output. Included by kernel
// sources only.
//
// Not here, and reported instead: sums cut to the largest number of the lanes, which may stand for
// anything beyond.
#pragma once

#include "precision/kernels/stochastic.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {

class StochasticChain {
 public:
  using T = FloatLane;
  using L = Vectors<T>;
  using V = T::Vector;
  using B = T::Bits;
  using M = T::Mask;

  explicit StochasticChain(const LaneArithmetic& arithmetic) : rounder_(arithmetic) {}

  /// sums[row][lane] goes on over `terms` products; word i of a lane's key rounds the sum with term
  /// i.
  bool run(const FloatRows& in, float* sums) const {
#if defined(__SSE2__)
    const unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | _MM_ROUND_TOWARD_ZERO);
    const bool in_range = run_rows(in, sums);
    _mm_setcsr(mode);
    return in_range;
#else
    (void)in;
    (void)sums;
    return false;
#endif
  }

 private:
  enum { kVectors = 4 };

  /// Not inlined: what it computes must stay between the two changes of the mode.
  __attribute__((noinline)) bool run_rows(const FloatRows& in, float* sums) const {
    M short_of_range{};
    for (long r = 0; r < in.rows; ++r)
      for (int l = 0; l < T::kLanes; l += kVectors * T::kWidth)
        short_of_range |= tile(in, r, l, sums + r * T::kLanes + l);
    int any = 0;
    for (int l = 0; l < T::kWidth; ++l) any |= short_of_range[l];
    return any == 0;
  }

  M tile(const FloatRows& in, long row, int lane, float* sums) const {
    const float* a = in.a + row * in.a_stride;
    const unsigned* low = in.key_low + row * T::kLanes + lane;
    const unsigned* high = in.key_high + row * T::kLanes + lane;
    V sum[kVectors];
    B counted[kVectors];  // the words' first product, moved on with the counter
    B rest[kVectors];
    M short_of_range{};
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      sum[v] = L::load(sums + v * T::kWidth);
      __builtin_memcpy(&counted[v], low + v * T::kWidth, sizeof(B));
      __builtin_memcpy(&rest[v], high + v * T::kWidth, sizeof(B));
    }
    for (long k = 0; k < in.terms; ++k) {
      const V x = L::all(a[k]);
      const float* b = in.panel + k * T::kLanes + lane;
      M subnormal{};
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        sum[v] = L::fused(x, L::load(b + v * T::kWidth), sum[v]);
        subnormal |= rounder_.subnormal(sum[v]);
        short_of_range |= L::magnitude(sum[v]) == T::kLargest;
      }
      if (L::any(subnormal)) {
        for (int v = 0; v < kVectors; ++v)
          sum[v] = rounder_.any(sum[v], RandomWords::word(counted[v], rest[v]));
      } else {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v)
          sum[v] = rounder_.normal(sum[v], RandomWords::word(counted[v], rest[v]));
      }
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) counted[v] += RandomWords::kStep;
    }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) L::store(sums + v * T::kWidth, sum[v]);
    return short_of_range;
  }

  StochasticRounder rounder_;
};

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
