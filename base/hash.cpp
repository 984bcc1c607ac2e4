// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <cstring>

namespace npusim::base {

std::uint64_t fnv1a(std::string_view bytes, std::uint64_t seed) {
  std::uint64_t hash = seed;
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1099511628211ULL;
  }
  return hash;
}

// A word a step: multiplication carries low bits up, the shift brings high ones down.
std::uint64_t hash_of(const double* values, std::size_t count, std::uint64_t seed) {
  std::uint64_t hash = seed + 0x9e3779b97f4a7c15ULL + count;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, values + i, sizeof word);
    hash = (hash ^ word) * 0xd6e8feb86659fd93ULL;
    hash ^= hash >> 32U;
  }
  return hash;
}

std::string hex64(std::uint64_t value) {
  std::string text(16, '0');
  for (std::size_t i = 0; i < text.size(); ++i) {
    text[text.size() - 1 - i] = "0123456789abcdef"[value & 15U];
    value >>= 4U;
  }
  return text;
}

}  // namespace npusim::base
