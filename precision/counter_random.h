// SPDX-License-Identifier: Apache-2.0
// Random words by index: word i of a stream is a function of (key, i), so it depends on no thread,
// tile or order of evaluation. Not for cryptography.
//
// The key is 64 bits, made by hashing coordinates (seed, training step, op, element) with the
// finaliser of SplitMix64 (Steele, Lea, Flood 2014). A word is two multiply-xorshift rounds on the
// counter with half of the key entering before each: 32-bit operations only, so that vector kernels
// make one word a lane with two multiplications. The multipliers are those of C. Wellons's
// published low-bias 32-bit hash (2023).
#pragma once

#include <cstdint>

namespace npusim::precision {

struct RandomKey {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
};

/// SplitMix64's finaliser: a bijection on 64-bit words.
inline std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

/// A stream that depends on the coordinate and on everything the key was made from before.
inline RandomKey derived_key(RandomKey key, std::uint64_t coordinate) {
  const std::uint64_t word = (static_cast<std::uint64_t>(key.high) << 32) | key.low;
  const std::uint64_t next = mixed(mixed(word + 0x9e3779b97f4a7c15U) ^ coordinate);
  return {static_cast<std::uint32_t>(next), static_cast<std::uint32_t>(next >> 32)};
}

/// Word `counter` of the stream.
inline std::uint32_t random_word(RandomKey key, std::uint32_t counter) {
  std::uint32_t x = counter * 0x9e3779b9U + key.low;
  x = (x ^ (x >> 16)) * 0x21f0aaadU;
  x = ((x ^ (x >> 15)) + key.high) * 0xd35a2d97U;
  return x ^ (x >> 15);
}

}  // namespace npusim::precision
