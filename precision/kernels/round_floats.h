// SPDX-License-Identifier: Apache-2.0
// Arrays of floats rounded from one place in memory to another. Included by kernel sources only.
#pragma once

#include "precision/kernels/operations.h"
#include "precision/kernels/stochastic.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {

/// Past the caches, where a result that is not read soon would only push out other data.
NPUSIM_INLINE void store_past_caches(float* to, FloatLane::Vector x) {
#if defined(__AVX512F__)
  _mm512_stream_ps(to, x);
#elif defined(__AVX2__)
  _mm256_stream_ps(to, x);
#elif defined(__SSE2__)
  _mm_stream_ps(to, x);
#else
  Vectors<FloatLane>::store(to, x);
#endif
}

/// map(vector, index of its first value) for all values; the last ones by way of a whole vector.
template <class Map>
NPUSIM_INLINE void map_array(const float* in, float* out, long count, bool past_caches,
                             const Map& map) {
  using L = Vectors<FloatLane>;
  constexpr long kWidth = FloatLane::kWidth;
  const auto few = [&](long from, long length) {
    alignas(64) float values[kWidth] = {};
    for (long i = 0; i < length; ++i) values[i] = in[from + i];
    L::store(values, map(L::load(values), from));
    for (long i = 0; i < length; ++i) out[from + i] = values[i];
  };
  long at = 0;
  if (past_caches) {
    const auto place = reinterpret_cast<unsigned long>(out) % kVectorBytes;
    at = place == 0 ? 0 : static_cast<long>((kVectorBytes - place) / sizeof(float));
    at = at < count ? at : count;
    few(0, at);
    for (; at + kWidth <= count; at += kWidth)
      store_past_caches(out + at, map(L::load_anywhere(in + at), at));
  }
  for (; at + kWidth <= count; at += kWidth)
    L::store_anywhere(out + at, map(L::load_anywhere(in + at), at));
  if (at < count) few(at, count - at);
#if defined(__SSE2__)
  if (past_caches) _mm_sfence();
#endif
}

template <class Rounder>
void round_floats_by(const LaneArithmetic& arithmetic, const float* in, float* out, long count,
                     bool past_caches) {
  using L = Vectors<FloatLane>;
  const Rounder rounder(arithmetic);
  map_array(in, out, count, past_caches, [&](FloatLane::Vector x, long) {
    // The rounders' integers must meet one NaN only; what they make of it may be zero.
    return L::default_nan(rounder(L::default_nan(x)));
  });
}

struct Unchanged {
  explicit NPUSIM_INLINE Unchanged(const LaneArithmetic&) {}
  NPUSIM_INLINE FloatLane::Vector operator()(FloatLane::Vector x) const { return x; }
};

template <int kMode>
void round_floats_in_mode(const LaneArithmetic& a, const float* in, float* out, long count,
                          bool past_caches) {
  if (a.shape == kWide)
    return round_floats_by<WideRounder<FloatLane, kMode, false>>(a, in, out, count, past_caches);
  // To nearest the long way is as short.
  if (kMode == kRne)
    return round_floats_by<NarrowRounder<FloatLane, kMode>>(a, in, out, count, past_caches);
  round_floats_by<MostlyNormalRounder<kMode>>(a, in, out, count, past_caches);
}

inline void round_floats(const LaneArithmetic& a, const float* in, float* out, long count,
                         bool past_caches) {
  if (a.shape == kNative) return round_floats_by<Unchanged>(a, in, out, count, past_caches);
  if (a.shape == kHalf) return round_floats_by<HalfRounder>(a, in, out, count, past_caches);
  if (a.shape == kPlainWide)
    return round_floats_by<WideRounder<FloatLane, kRne, true>>(a, in, out, count, past_caches);
  switch (a.mode) {
    case kRne:
      return round_floats_in_mode<kRne>(a, in, out, count, past_caches);
    case kRna:
      return round_floats_in_mode<kRna>(a, in, out, count, past_caches);
    case kRtz:
      return round_floats_in_mode<kRtz>(a, in, out, count, past_caches);
    case kRu:
      return round_floats_in_mode<kRu>(a, in, out, count, past_caches);
    case kRd:
      return round_floats_in_mode<kRd>(a, in, out, count, past_caches);
    default:
      return round_floats_in_mode<kOdd>(a, in, out, count, past_caches);
  }
}

/// Value i takes word counter + i of the stream.
inline void round_floats_at_random(const LaneArithmetic& a, const float* in, float* out, long count,
                                   bool past_caches, const LaneRandom& random) {
  using B = FloatLane::Bits;
  using L = Vectors<FloatLane>;
  const StochasticRounder rounder(a);
  const RandomWords words(random.low + B{}, random.high + B{});
  B lane{};
  for (int l = 0; l < FloatLane::kWidth; ++l) lane[l] = static_cast<unsigned>(l);
  map_array(in, out, count, past_caches, [&](FloatLane::Vector x, long at) {
    return L::default_nan(rounder(x, words(lane + (random.counter + static_cast<unsigned>(at)))));
  });
}

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
