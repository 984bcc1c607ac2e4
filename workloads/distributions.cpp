// SPDX-License-Identifier: Apache-2.0
#include "workloads/distributions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace npusim::workloads {
namespace {

__extension__ typedef unsigned __int128 Wide;

double binary32(double x) {
  return static_cast<double>(static_cast<float>(x));
}

/// One value for each element from its 64 random bits.
template <class Value>
void draw(const RandomStream& stream, ElementRange range, double* out, const Value& value) {
  NPUSIM_CHECK(range.begin % 2 == 0, "elements are drawn in pairs");
  const auto first = static_cast<std::uint64_t>(range.begin) / 2;
  for (std::int64_t i = 0; i < range.count; i += 2) {
    const RandomStream::Pair bits = stream.block(first + static_cast<std::uint64_t>(i) / 2);
    out[i] = value(bits.first);
    if (i + 1 < range.count) out[i + 1] = value(bits.second);
  }
}

}  // namespace

void draw_uniform(const RandomStream& stream, double low, double high, ElementRange range,
                  double* out) {
  // Rounding to binary32 can reach `high`, which is not part of the interval.
  const double below_high = static_cast<double>(
      std::nextafter(static_cast<float>(high), -std::numeric_limits<float>::infinity()));
  draw(stream, range, out, [&](std::uint64_t bits) {
    const double value = binary32(low + (high - low) * unit_interval(bits));
    return value >= high && low < high ? std::max(below_high, low) : value;
  });
}

void draw_normal(const RandomStream& stream, double mean, double stddev, ElementRange range,
                 double* out) {
  NPUSIM_CHECK(range.begin % 2 == 0, "elements are drawn in pairs");
  constexpr std::int64_t kPairs = 64;
  std::array<RandomStream::Pair, kPairs> bits{};
  std::array<double, 2 * kPairs> values{};
  for (std::int64_t done = 0; done < range.count; done += 2 * kPairs) {
    const std::int64_t count = std::min(2 * kPairs, range.count - done);
    const auto pairs = static_cast<std::size_t>((count + 1) / 2);
    const auto first = static_cast<std::uint64_t>(range.begin + done) / 2;
    for (std::size_t i = 0; i < pairs; ++i) bits[i] = stream.block(first + i);
    normal_values(bits.data(), static_cast<int>(pairs), values.data());
    for (std::int64_t i = 0; i < count; ++i)
      out[done + i] = binary32(mean + stddev * values[static_cast<std::size_t>(i)]);
  }
}

void draw_normal_at(const RandomStream& stream, double mean, double stddev,
                    const std::int64_t* indices, std::int64_t count, double* out) {
  constexpr std::int64_t kAtOnce = 64;
  std::array<RandomStream::Pair, kAtOnce> bits{};
  std::array<double, 2 * kAtOnce> values{};
  for (std::int64_t done = 0; done < count; done += kAtOnce) {
    const std::int64_t length = std::min(kAtOnce, count - done);
    for (std::int64_t i = 0; i < length; ++i)
      bits[static_cast<std::size_t>(i)] =
          stream.block(static_cast<std::uint64_t>(indices[done + i]) / 2);
    normal_values(bits.data(), static_cast<int>(length), values.data());
    for (std::int64_t i = 0; i < length; ++i) {
      const auto at = static_cast<std::size_t>(2 * i + indices[done + i] % 2);
      out[done + i] = binary32(mean + stddev * values[at]);
    }
  }
}

void draw_integers(const RandomStream& stream, std::int64_t low, std::int64_t high,
                   ElementRange range, double* out) {
  const auto span = static_cast<std::uint64_t>(high - low) + 1;
  draw(stream, range, out, [&](std::uint64_t bits) {
    const auto offset = static_cast<std::int64_t>((static_cast<Wide>(bits) * span) >> 64);
    return static_cast<double>(low + offset);
  });
}

}  // namespace npusim::workloads
