// SPDX-License-Identifier: Apache-2.0
// What packing does to whole rows. Included by kernel sources only.
#pragma once

#include "precision/kernels/vector.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {

NPUSIM_INLINE void survey_one(unsigned bits, FloatSurvey& survey) {
  const unsigned magnitude = bits & 0x7fffffffU;
  const unsigned infinity = 0x7f800000U;
  if (magnitude > infinity) survey.has_nan = 1;
  if (magnitude >= infinity) survey.has_special = 1;
  if (magnitude == 0 || magnitude >= infinity) return;
  if (magnitude < survey.least_bits) survey.least_bits = magnitude;
  if (magnitude > survey.most_bits) survey.most_bits = magnitude;
}

inline FloatSurvey survey(const float* values, long count) {
  using B = FloatLane::Bits;
  const B infinity = 0x7f800000U - B{};
  B least = infinity;
  B most{};
  B nans{};
  B specials{};
  long i = 0;
  for (; i + FloatLane::kWidth <= count; i += FloatLane::kWidth) {
    B bits;
    __builtin_memcpy(&bits, values + i, sizeof bits);
    const B magnitude = bits & 0x7fffffffU;
    nans |= bit_cast<B>(magnitude > infinity);
    specials |= bit_cast<B>(magnitude >= infinity);
    const B finite = magnitude < infinity ? magnitude : B{};
    const B not_zero = magnitude == B{} ? infinity : magnitude;
    most = finite > most ? finite : most;
    least = not_zero < least ? not_zero : least;
  }
  FloatSurvey result{0x7f800000U, 0U, 0, 0};
  for (int l = 0; l < FloatLane::kWidth; ++l) {
    if (least[l] < result.least_bits) result.least_bits = least[l];
    if (most[l] > result.most_bits) result.most_bits = most[l];
    if (nans[l] != 0) result.has_nan = 1;
    if (specials[l] != 0) result.has_special = 1;
  }
  for (; i < count; ++i) {
    unsigned bits;
    __builtin_memcpy(&bits, values + i, sizeof bits);
    survey_one(bits, result);
  }
  return result;
}

inline void powers(const float* values, long count, float least, float* to) {
  for (long i = 0; i < count; ++i) {
    unsigned bits;
    __builtin_memcpy(&bits, values + i, sizeof bits);
    const float power = bit_cast<float>(bits & 0x7f800000U);
    const float clamped = power < least ? least : power;
    to[i] = values[i] == 0.0F ? 0.0F : clamped;
  }
}

template <class Real>
NPUSIM_INLINE void interleave_terms(const Real* const* rows, long begin, long end, long lanes,
                                    Real* to) {
  for (long i = begin; i < end; ++i)
    for (int r = 0; r < kInterleavedRows; ++r) to[i * lanes + r] = rows[r][i];
}

#if defined(__AVX512F__)
static_assert(kInterleavedRows == 16, "sixteen by sixteen");
/// Sixteen terms of sixteen rows: a transposition in registers.
NPUSIM_INLINE void transpose(const float* const* rows, long i, long lanes, float* to) {
  __m512 x[16], y[16];
#pragma GCC unroll 16
  for (int r = 0; r < 16; r += 2) {
    const __m512 even = _mm512_loadu_ps(rows[r] + i);
    const __m512 odd = _mm512_loadu_ps(rows[r + 1] + i);
    y[r] = _mm512_unpacklo_ps(even, odd);
    y[r + 1] = _mm512_unpackhi_ps(even, odd);
  }
#pragma GCC unroll 16
  for (int p = 0; p < 8; ++p) {
    const int r = p / 2 * 4 + p % 2;  // low pairs, then high pairs, of each four rows
    const int t = p / 2 * 4 + p % 2 * 2;
    x[t] = _mm512_shuffle_ps(y[r], y[r + 2], 0x44);
    x[t + 1] = _mm512_shuffle_ps(y[r], y[r + 2], 0xee);
  }
  // x[4 * f + t] holds terms t, t+4, t+8, t+12 of rows 4f .. 4f+3, in quarters.
#pragma GCC unroll 16
  for (int t = 0; t < 4; ++t) {
    const __m512 low_01 = _mm512_shuffle_f32x4(x[t], x[4 + t], 0x44);
    const __m512 low_23 = _mm512_shuffle_f32x4(x[8 + t], x[12 + t], 0x44);
    const __m512 high_01 = _mm512_shuffle_f32x4(x[t], x[4 + t], 0xee);
    const __m512 high_23 = _mm512_shuffle_f32x4(x[8 + t], x[12 + t], 0xee);
    float* const at = to + (i + t) * lanes;
    _mm512_storeu_ps(at, _mm512_shuffle_f32x4(low_01, low_23, 0x88));
    _mm512_storeu_ps(at + 4 * lanes, _mm512_shuffle_f32x4(low_01, low_23, 0xdd));
    _mm512_storeu_ps(at + 8 * lanes, _mm512_shuffle_f32x4(high_01, high_23, 0x88));
    _mm512_storeu_ps(at + 12 * lanes, _mm512_shuffle_f32x4(high_01, high_23, 0xdd));
  }
}
NPUSIM_INLINE void interleave_terms(const float* const* rows, long begin, long end, long lanes,
                                    float* to) {
  if (end - begin == 16) return transpose(rows, begin, lanes, to);
  interleave_terms<float>(rows, begin, end, lanes, to);
}
#elif defined(__AVX2__)
/// Eight terms of eight rows: a transposition in registers.
NPUSIM_INLINE void transpose(const float* const* rows, long i, long lanes, float* to) {
  __m256 pairs[8], fours[8];
#pragma GCC unroll 4
  for (int r = 0; r < 8; r += 2) {
    const __m256 even = _mm256_loadu_ps(rows[r] + i);
    const __m256 odd = _mm256_loadu_ps(rows[r + 1] + i);
    pairs[r] = _mm256_unpacklo_ps(even, odd);
    pairs[r + 1] = _mm256_unpackhi_ps(even, odd);
  }
#pragma GCC unroll 4
  for (int p = 0; p < 4; ++p) {
    const int r = p / 2 * 4 + p % 2;  // low pairs, then high pairs, of either four rows
    const int t = p / 2 * 4 + p % 2 * 2;
    fours[t] = _mm256_shuffle_ps(pairs[r], pairs[r + 2], 0x44);
    fours[t + 1] = _mm256_shuffle_ps(pairs[r], pairs[r + 2], 0xee);
  }
#pragma GCC unroll 4
  for (int t = 0; t < 4; ++t) {
    float* const at = to + (i + t) * lanes;
    _mm256_storeu_ps(at, _mm256_permute2f128_ps(fours[t], fours[4 + t], 0x20));
    _mm256_storeu_ps(at + 4 * lanes, _mm256_permute2f128_ps(fours[t], fours[4 + t], 0x31));
  }
}
NPUSIM_INLINE void interleave_terms(const float* const* rows, long begin, long end, long lanes,
                                    float* to) {
  long i = begin;
  for (; i + 8 <= end; i += 8)
    for (int r = 0; r < kInterleavedRows; r += 8) transpose(rows + r, i, lanes, to + r);
  interleave_terms<float>(rows, i, end, lanes, to);
}
#endif

/// Sixteen rows at a time, a cache line of each, asked for some lines before.
template <class Real>
void interleave(const Real* const* rows, long count, long terms, long lanes, Real* to) {
  constexpr long kLine = 64 / sizeof(Real);
  constexpr long kAhead = 8 * kLine;
  for (long r = 0; r < count; r += kInterleavedRows) {
    for (long i = 0; i < terms; i += kLine) {
      for (long of = 0; of < kInterleavedRows; ++of)
        __builtin_prefetch(rows[r + of] + i + kAhead, 0, 3);
      interleave_terms(rows + r, i, i + kLine < terms ? i + kLine : terms, lanes, to + r);
    }
  }
}

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
