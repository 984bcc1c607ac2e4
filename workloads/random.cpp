// SPDX-License-Identifier: Apache-2.0
#include "workloads/random.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "workloads/detmath.h"

namespace npusim::workloads {
namespace {

std::uint32_t high(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}
std::uint32_t low(std::uint64_t x) {
  return static_cast<std::uint32_t>(x & 0xffffffffU);
}

/// Finaliser of SplitMix64 (Steele et al. 2014): seeds that differ in one bit give unrelated keys.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace

PhiloxBlock philox4x32_10(PhiloxBlock counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xd2511f53U} * counter[0];
    const std::uint64_t p1 = std::uint64_t{0xcd9e8d57U} * counter[2];
    counter = {high(p1) ^ counter[1] ^ key[0], low(p1), high(p0) ^ counter[3] ^ key[1], low(p0)};
    key[0] += 0x9e3779b9U;
    key[1] += 0xbb67ae85U;
  }
  return counter;
}

RandomStream::RandomStream(std::uint64_t seed, std::string_view name) {
  const std::uint64_t key = mix(mix(seed) ^ base::fnv1a(name));
  key_ = {low(key), high(key)};
}

RandomStream::Pair RandomStream::block(std::uint64_t index) const {
  const PhiloxBlock out = philox4x32_10({low(index), high(index), 0, 0}, key_);
  return {(std::uint64_t{out[1]} << 32) | out[0], (std::uint64_t{out[3]} << 32) | out[2]};
}

std::uint64_t RandomStream::bits(std::uint64_t index) const {
  const Pair pair = block(index / 2);
  return index % 2 == 0 ? pair.first : pair.second;
}

void normal_values(const RandomStream::Pair* bits, int pairs, double* values) {
  constexpr int kAtOnce = 64;
  std::array<double, kAtOnce> u{}, logarithm{}, angle{}, sin{}, cos{};
  for (int begin = 0; begin < pairs; begin += kAtOnce) {
    const int count = std::min(kAtOnce, pairs - begin);
    for (int i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      u[at] = unit_interval(bits[begin + i].first) + 0x1p-53;  // above 0: the logarithm is finite
      angle[at] = 2.0 * unit_interval(bits[begin + i].second);
    }
    det_log(u.data(), logarithm.data(), count);
    det_sincospi(angle.data(), sin.data(), cos.data(), count);
    for (int i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const double radius = std::sqrt(-2.0 * logarithm[at]);
      values[2 * (begin + i)] = radius * cos[at];
      values[2 * (begin + i) + 1] = radius * sin[at];
    }
  }
}

}  // namespace npusim::workloads
