// SPDX-License-Identifier: Apache-2.0
// Rounding of the part of an array that starts at some index, so that stochastic rounding does not
// depend on how the array is cut.
#pragma once

#include <cstdint>

#include "precision/counter_random.h"
#include "precision/rounding.h"

namespace npusim::precision {

/// Words of arrays of any length: those of `key` while the index has 32 bits, then of keys derived
/// from its upper half.
class IndexedWords {
 public:
  IndexedWords(RandomKey key, std::uint64_t index) : key_(key), next_(index) { enter(); }
  std::uint32_t next() {
    const std::uint32_t word = random_word(current_, static_cast<std::uint32_t>(next_));
    if (static_cast<std::uint32_t>(++next_) == 0) enter();
    return word;
  }

 private:
  void enter() { current_ = next_ >> 32 == 0 ? key_ : derived_key(key_, next_ >> 32); }

  RandomKey key_, current_;
  std::uint64_t next_;
};

/// As round_array; with sr the value at index first_index + i of the whole array takes word
/// first_index + i. In and out may be the same.
void round_indexed(const double* in, double* out, std::int64_t count, const Arithmetic& arithmetic,
                   RandomKey key, std::uint64_t first_index);

/// The same for floats, as fast as memory; deterministic roundings need no key. Throws
/// std::invalid_argument where binary32 does not hold every value of the format.
void round_indexed(const float* in, float* out, std::int64_t count, const Arithmetic& arithmetic,
                   RandomKey key = {}, std::uint64_t first_index = 0);

}  // namespace npusim::precision
