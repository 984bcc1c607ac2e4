// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011, "Parallel random numbers: as
// easy as 1, 2, 3"). A value depends on (seed, name, index) only: no order, no state, no threads.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace npusim::workloads {

using PhiloxBlock = std::array<std::uint32_t, 4>;
PhiloxBlock philox4x32_10(PhiloxBlock counter, std::array<std::uint32_t, 2> key);

/// The numbers of one named stream.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::string_view name);

  struct Pair {
    std::uint64_t first, second;
  };
  /// Block `index` of the stream: 128 random bits.
  Pair block(std::uint64_t index) const;
  /// The 64 random bits of element `index`: half of block index/2.
  std::uint64_t bits(std::uint64_t index) const;

 private:
  std::array<std::uint32_t, 2> key_;
};

/// 53 random bits as a number in [0, 1).
inline double unit_interval(std::uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

/// Standard normal values, two from each of `pairs` blocks, by Box and Muller's transform (1958):
/// the radius from the first 53 bits in (0, 1], the angle from the second. |value| < 8.6.
void normal_values(const RandomStream::Pair* bits, int pairs, double* values);

}  // namespace npusim::workloads
