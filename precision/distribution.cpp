// SPDX-License-Identifier: Apache-2.0
#include "precision/distribution.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace npusim::precision {
namespace {

constexpr std::int64_t kBlock = 1 << 14;
constexpr int kLanes = 8;

struct First {
  double sum = 0.0, max_abs = 0.0;
  std::int64_t count = 0, zeros = 0;
};
struct Second {
  double squares = 0.0, fourth = 0.0;
};

First first_pass(const double* values, std::int64_t count) {
  double sums[kLanes] = {}, largest[kLanes] = {}, finite[kLanes] = {}, zeros[kLanes] = {};
  const auto take = [&](double x, int lane) {
    const double size = std::fabs(x);
    const bool counts = size <= std::numeric_limits<double>::max();
    const double kept = counts ? x : 0.0;
    sums[lane] += kept;
    largest[lane] = std::max(largest[lane], std::fabs(kept));
    finite[lane] += counts ? 1.0 : 0.0;
    zeros[lane] += x == 0.0 ? 1.0 : 0.0;
  };
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) take(values[i + lane], lane);
  for (int lane = 0; i < count; ++i, ++lane) take(values[i], lane);
  First result;
  for (int lane = 0; lane < kLanes; ++lane) {
    result.sum += sums[lane];
    result.max_abs = std::max(result.max_abs, largest[lane]);
    result.count += static_cast<std::int64_t>(finite[lane]);
    result.zeros += static_cast<std::int64_t>(zeros[lane]);
  }
  return result;
}

/// Of (x - mean) / scale.
Second second_pass(const double* values, std::int64_t count, double mean, double scale) {
  double squares[kLanes] = {}, fourth[kLanes] = {};
  const auto take = [&](double x, int lane) {
    const bool counts = std::fabs(x) <= std::numeric_limits<double>::max();
    const double apart = counts ? (x - mean) / scale : 0.0;
    const double square = apart * apart;
    squares[lane] += square;
    fourth[lane] += square * square;
  };
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) take(values[i + lane], lane);
  for (int lane = 0; i < count; ++i, ++lane) take(values[i], lane);
  Second result;
  for (int lane = 0; lane < kLanes; ++lane) {
    result.squares += squares[lane];
    result.fourth += fourth[lane];
  }
  return result;
}

}  // namespace

Distribution distribution_of(const double* values, std::int64_t count,
                             const ParallelFor& parallel) {
  const std::int64_t blocks = (count + kBlock - 1) / kBlock;
  const auto length = [&](std::int64_t block) { return std::min(kBlock, count - block * kBlock); };
  std::vector<First> first(static_cast<std::size_t>(blocks));
  parallel(blocks, [&](std::int64_t block) {
    first[static_cast<std::size_t>(block)] = first_pass(values + block * kBlock, length(block));
  });
  Distribution result;
  double sum = 0.0;
  std::int64_t zeros = 0;
  for (const First& part : first) {
    sum += part.sum;
    result.count += part.count;
    zeros += part.zeros;
    result.max_abs = std::max(result.max_abs, part.max_abs);
  }
  if (result.count == 0) return result;
  const auto finite = static_cast<double>(result.count);
  result.mean = sum / finite;
  result.zero_pct = 100.0 * static_cast<double>(zeros) / finite;
  if (result.max_abs == 0.0) return result;
  std::vector<Second> second(static_cast<std::size_t>(blocks));
  const double mean = result.mean;
  const double scale = result.max_abs;
  parallel(blocks, [&](std::int64_t block) {
    second[static_cast<std::size_t>(block)] =
        second_pass(values + block * kBlock, length(block), mean, scale);
  });
  double squares = 0.0, fourth = 0.0;
  for (const Second& part : second) {
    squares += part.squares;
    fourth += part.fourth;
  }
  const double variance = squares / finite;
  result.stddev = scale * std::sqrt(variance);
  if (variance > 0.0) result.kurtosis = fourth / finite / (variance * variance);
  return result;
}

}  // namespace npusim::precision
