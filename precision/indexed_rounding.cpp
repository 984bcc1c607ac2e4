// SPDX-License-Identifier: Apache-2.0
#include "precision/indexed_rounding.h"

#include <algorithm>
#include <stdexcept>

#include "precision/kernels/dispatch.h"

namespace npusim::precision {
namespace {

/// Results of this size are not found in the caches again anyway.
constexpr std::int64_t kPastCachesBytes = std::int64_t{16} << 20;

bool holds_values(const Format& format) {
  return format.precision() <= 24 && format.max_exponent() <= 127 &&
         format.min_exponent() - format.fraction_bits >= -149;
}

/// One value at a time, or through double lanes.
void round_by_doubles(const float* in, float* out, std::int64_t count,
                      const Arithmetic& arithmetic) {
  constexpr std::int64_t kBlock = 512;
  double block[kBlock];
  for (std::int64_t at = 0; at < count; at += kBlock) {
    const std::int64_t length = std::min(kBlock, count - at);
    for (std::int64_t i = 0; i < length; ++i) block[i] = static_cast<double>(in[at + i]);
    round_array(block, block, static_cast<long>(length), arithmetic);
    for (std::int64_t i = 0; i < length; ++i) out[at + i] = static_cast<float>(block[i]);
  }
}

/// Parts of the array whose indices share their upper half.
template <class Body>
void for_each_stream(std::int64_t count, RandomKey key, std::uint64_t first, const Body& body) {
  for (std::int64_t at = 0; at < count;) {
    const std::uint64_t index = first + static_cast<std::uint64_t>(at);
    const std::uint64_t left = (std::uint64_t{1} << 32) - (index & 0xffffffffU);
    const std::int64_t length =
        static_cast<std::int64_t>(std::min(left, static_cast<std::uint64_t>(count - at)));
    const RandomKey own = index >> 32 == 0 ? key : derived_key(key, index >> 32);
    body(at, length, own, static_cast<std::uint32_t>(index & 0xffffffffU));
    at += length;
  }
}

}  // namespace

void round_indexed(const double* in, double* out, std::int64_t count, const Arithmetic& arithmetic,
                   RandomKey key, std::uint64_t first_index) {
  if (arithmetic.rounding != Rounding::sr) {
    round_array(in, out, static_cast<long>(count), arithmetic);
    return;
  }
  IndexedWords words(key, first_index);
  for (std::int64_t i = 0; i < count; ++i) out[i] = round_to(in[i], arithmetic, words.next());
}

void round_indexed(const float* in, float* out, std::int64_t count, const Arithmetic& arithmetic,
                   RandomKey key, std::uint64_t first_index) {
  if (!holds_values(arithmetic.format))
    throw std::invalid_argument("binary32 does not hold the values of " + arithmetic.format.name);
  const kernels::KernelSet set = kernels::chosen_kernels();
  const bool past_caches =
      in != out && count * static_cast<std::int64_t>(sizeof(float)) >= kPastCachesBytes;
  const auto lanes = kernels::float_arithmetic(arithmetic);
  if (arithmetic.rounding != Rounding::sr) {
    if (!lanes) return round_by_doubles(in, out, count, arithmetic);
    return set.round_floats(*lanes, in, out, static_cast<long>(count), past_caches);
  }
  for_each_stream(count, key, first_index,
                  [&](std::int64_t at, std::int64_t length, RandomKey own, std::uint32_t counter) {
                    if (lanes)
                      return set.round_floats_at_random(*lanes, in + at, out + at,
                                                        static_cast<long>(length), past_caches,
                                                        {own.low, own.high, counter});
                    for (std::int64_t i = 0; i < length; ++i)
                      out[at + i] = static_cast<float>(
                          round_to(static_cast<double>(in[at + i]), arithmetic,
                                   random_word(own, counter + static_cast<std::uint32_t>(i))));
                  });
}

}  // namespace npusim::precision
