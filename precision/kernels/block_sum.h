// SPDX-License-Identifier: Apache-2.0
// Chains of aligned blocks in float lanes: aligned_sum for a few rows against a panel. Beside every
// operand lies the power of two of its exponent (not normalised; 0 for a zero), so that the
// exponent of a product is one multiplication; a term is shifted by multiplying with a power of
// two, and cut by conversion to an integer. Included by kernel sources only.
//
// Frequent results are rounded where the sums are: with the processor rounding toward zero an
// integer becomes a truncated float; all else is exact. Others meet in binary64 and are rounded
// there.
//
// Not here, and reported instead: infinities and NaN among the operands (the caller looks for
// them), and sums whose largest exponent is below that of LaneAlignment::lowest.
#pragma once

#include "precision/kernels/operations.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {

class BlockSum {
 public:
  using T = FloatLane;
  using L = Vectors<T>;
  using V = T::Vector;
  using M = T::Mask;

  explicit BlockSum(const LaneAlignment& alignment)
      : alignment_(alignment),
        kind_(kind_of(alignment)),
        round_(operations_of<DoubleLane>(alignment.result).round),
        scale_base_(static_cast<unsigned>(254 + alignment.fraction_bits) << 23),
        quantum_base_(static_cast<unsigned>(alignment.fraction_bits) << 23),
        dropped_((1U << (23 - alignment.truncated_bits)) - 1),
        beyond_(static_cast<float>(alignment.result.beyond)),
        back_(power(-alignment.fraction_bits)) {}

  /// sums[row][lane] goes on over `terms` products, a multiple of the step. False: some lane needs
  /// more range, and the sums are of no use.
  bool run(const float* a, const float* a_powers, long a_stride, long rows, const float* panel,
           const float* panel_powers, long lanes, long terms, float* sums) const {
    const Block block{a, a_powers, a_stride, rows, panel, panel_powers, lanes};
#if defined(__SSE2__)
    if (kind_ != kAnyResult) {
      const unsigned mode = _mm_getcsr();
      _mm_setcsr(mode | _MM_ROUND_TOWARD_ZERO);
      const bool in_range = run_blocks(block, terms, sums);
      _mm_setcsr(mode);
      return in_range;
    }
#endif
    return run_blocks(block, terms, sums);
  }

 private:
  struct Block {
    const float* a;
    const float* a_powers;
    long a_stride, rows;
    const float* panel;
    const float* panel_powers;
    long lanes;
  };
  enum { kHalf = T::kWidth / 2 };
  enum Finish { kTruncated, kTruncatedWide, kHalfPrecision, kExact };

  /// Not inlined: what it computes must stay between the two changes of the mode.
  __attribute__((noinline)) bool run_blocks(Block block, long terms, float* sums) const {
    const long used = (block.lanes + T::kWidth - 1) / T::kWidth * T::kWidth;
    M short_of_range{};
    for (long at = 0; at < terms; at += alignment_.step) {
      alignas(64) double exact[kRows * T::kLanes];
      short_of_range |= add_block(block, sums, exact);
      if (kind_ == kAnyResult) {
        for (long r = 0; r < block.rows; ++r) {
          round_(alignment_.result, exact + r * T::kLanes, used);
          take_over(exact + r * T::kLanes, used, sums + r * T::kLanes);
        }
      }
      block.a += alignment_.step;
      block.a_powers += alignment_.step;
      block.panel += alignment_.step * T::kLanes;
      block.panel_powers += alignment_.step * T::kLanes;
    }
    int any = 0;
    for (int l = 0; l < T::kWidth; ++l) any |= short_of_range[l];
    return any == 0;
  }
  typedef int HalfInts __attribute__((vector_size(kVectorBytes / 2)));
  typedef float HalfFloats __attribute__((vector_size(kVectorBytes / 2)));
  using Doubles = DoubleLane::Vector;

  /// The frequent kinds need a rounding mode to set, and binary16 a rounder that is not led by it.
  static int kind_of(const LaneAlignment& alignment) {
#if defined(__SSE2__)
    if (alignment.result_kind == kHalfResult && HalfRounder::kUsesProcessorRounding)
      return kAnyResult;
    return alignment.result_kind;
#else
    (void)alignment;
    return kAnyResult;
#endif
  }

  static double power(int exponent) {
    return bit_cast<double>(static_cast<unsigned long>(1023 + exponent) << 52);
  }

  M add_block(const Block& block, float* sums, double* exact) const {
    switch (kind_) {
#if defined(__SSE2__)
      case kTruncatedResult:
        return alignment_.wide != 0 ? add_block_to<kTruncatedWide>(block, sums, exact)
                                    : add_block_to<kTruncated>(block, sums, exact);
      case kHalfResult:
        return add_block_to<kHalfPrecision>(block, sums, exact);
#endif
      default:
        return add_block_to<kExact>(block, sums, exact);
    }
  }

  template <Finish kFinish>
  M add_block_to(const Block& block, float* sums, double* exact) const {
    switch (alignment_.step) {
      case 1:
        return add_tiles<kFinish, 1>(block, sums, exact);
      case 2:
        return add_tiles<kFinish, 2>(block, sums, exact);
      case 4:
        return add_tiles<kFinish, 4>(block, sums, exact);
      case 8:
        return add_tiles<kFinish, 8>(block, sums, exact);
      case 16:
        return add_tiles<kFinish, 16>(block, sums, exact);
      default:
        return add_tiles<kFinish, 0>(block, sums, exact);
    }
  }

  template <Finish kFinish, int kStep>
  M add_tiles(const Block& block, float* sums, double* exact) const {
    M short_of_range{};
    for (long r = 0; r < block.rows; ++r) {
#pragma GCC unroll 1
      for (long l = 0; l < block.lanes; l += T::kWidth) {
        const long at = r * T::kLanes + l;
        short_of_range |=
            tile<kFinish, kStep>(block.a + r * block.a_stride, block.a_powers + r * block.a_stride,
                                 block.panel + l, block.panel_powers + l, sums + at, exact + at);
      }
    }
    return short_of_range;
  }

  template <Finish kFinish, int kStep>
  NPUSIM_INLINE M tile(const float* a, const float* a_powers, const float* panel,
                       const float* panel_powers, float* sum, double* exact) const {
    const long step = kStep != 0 ? long{kStep} : alignment_.step;
    const V running = L::load(sum);
    const V lowest = L::all(alignment_.lowest);
    V own = L::real(L::bits(running) & L::bits(L::all(T::kInfinity)));
    own = own > L::all(alignment_.least_power) ? own : L::all(alignment_.least_power);
    own = running == V{} ? V{} : own;
    V largest = own > lowest ? own : lowest;
#pragma GCC unroll 16
    for (long i = 0; i < step; ++i) {
      const V exponent = L::all(a_powers[i]) * L::load(panel_powers + i * T::kLanes);
      largest = exponent > largest ? exponent : largest;
    }
    const V scale = L::real(scale_base_ - L::bits(largest));
    // Unsigned: beside an infinite running value the integers say nothing, and may overflow.
    T::Bits unsigned_terms{};
#pragma GCC unroll 16
    for (long i = 0; i < step; ++i)
      unsigned_terms += cut(L::all(a[i]) * L::load(panel + i * T::kLanes) * scale);
    const M terms = bit_cast<M>(unsigned_terms);
    const M own_term = bit_cast<M>(cut(running * scale));
    const M all = bit_cast<M>(unsigned_terms + cut(running * scale));
    const V quantum = L::real(L::bits(largest) - quantum_base_);
    if (kFinish == kExact) {
      store_exact(terms, own_term, largest, exact);
    } else {
      V next = kFinish == kTruncatedWide ? truncated(terms, own_term) : truncated(all);
      if (kFinish == kHalfPrecision)
        next = half(next, all, quantum);
      else
        next = truncated_result(next, quantum);
      L::store(sum, L::magnitude(running) < T::kInfinity ? next : running);
    }
    const M at_the_end = (largest == lowest) & (running != V{});
    return alignment_.has_lowest != 0 ? M{} : at_the_end;
  }

  static NPUSIM_INLINE T::Bits cut(V x) {
    return bit_cast<T::Bits>(__builtin_convertvector(x, M));
  }
  // The processor rounds toward zero in these.
  static NPUSIM_INLINE V truncated(M sum) {
    return __builtin_convertvector(sum, V);
  }
  /// Products and running value may need 33 bits together.
  static NPUSIM_INLINE V truncated(M terms, M own) {
    return joined(doubles<0>(terms) + doubles<0>(own), doubles<1>(terms) + doubles<1>(own));
  }
  NPUSIM_INLINE V truncated_result(V sum, V quantum) const {
    // Far from the largest number nothing is lost: 2^-10 of it tells what lies beyond. Not of the
    // quantum, which becomes subnormal beside zeros, and slow.
    const V result = L::real(L::bits(sum) & ~dropped_) * quantum;
    const V thousandth = (sum * 0x1p-10F) * quantum;
    return L::magnitude(thousandth) >= 0x1p118F ? L::with_sign(L::all(beyond_), sum) : result;
  }
  NPUSIM_INLINE V half(V sum, M exact, V quantum) const {
    const M inexact = __builtin_convertvector(sum, M) != exact;
    const V odd = L::real(L::bits(sum) | (bit_cast<typename T::Bits>(inexact) & 1U));
    return HalfRounder(alignment_.result)(odd * quantum);
  }

  NPUSIM_INLINE void store_exact(M terms, M own, V largest, double* exact) const {
    using D = Vectors<DoubleLane>;
    D::store(exact, (doubles<0>(terms) + doubles<0>(own)) * (doubles<0>(largest) * back_));
    D::store(exact + kHalf, (doubles<1>(terms) + doubles<1>(own)) * (doubles<1>(largest) * back_));
  }

  /// The lower and the upper half of a vector.
  template <int kWhich>
  static NPUSIM_INLINE Doubles doubles(M x) {
#if defined(__AVX512F__)
    return _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(bit_cast<__m512i>(x), kWhich));
#elif defined(__AVX2__)
    return _mm256_cvtepi32_pd(_mm256_extracti128_si256(bit_cast<__m256i>(x), kWhich));
#else
    HalfInts half;
    __builtin_memcpy(&half, reinterpret_cast<const char*>(&x) + kWhich * sizeof half, sizeof half);
    return __builtin_convertvector(half, Doubles);
#endif
  }
  template <int kWhich>
  static NPUSIM_INLINE Doubles doubles(V x) {
#if defined(__AVX512F__)
    return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, kWhich));
#elif defined(__AVX2__)
    return _mm256_cvtps_pd(_mm256_extractf128_ps(x, kWhich));
#else
    HalfFloats half;
    __builtin_memcpy(&half, reinterpret_cast<const char*>(&x) + kWhich * sizeof half, sizeof half);
    return __builtin_convertvector(half, Doubles);
#endif
  }
  static NPUSIM_INLINE V joined(Doubles low, Doubles high) {
#if defined(__AVX512F__)
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high),
                              1);
#elif defined(__AVX2__)
    return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
#else
    const HalfFloats half[2] = {__builtin_convertvector(low, HalfFloats),
                                __builtin_convertvector(high, HalfFloats)};
    V whole;
    __builtin_memcpy(&whole, half, sizeof whole);
    return whole;
#endif
  }

  /// Infinities and NaN stay what they are.
  static void take_over(const double* rounded, long count, float* sums) {
    for (long i = 0; i < count; i += T::kWidth) {
      using D = Vectors<DoubleLane>;
      const V next = joined(D::load(rounded + i), D::load(rounded + i + kHalf));
      const V before = L::load(sums + i);
      L::store(sums + i, L::magnitude(before) < T::kInfinity ? next : before);
    }
  }

  const LaneAlignment& alignment_;
  int kind_;
  void (*round_)(const LaneArithmetic&, double*, long);
  unsigned scale_base_, quantum_base_, dropped_;
  float beyond_;
  double back_;
};

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
