// SPDX-License-Identifier: Apache-2.0
// Elements [begin, begin + count) of a tensor of random values; `begin` is even. Real values are
// rounded to binary32, as checkpoints hold them.
#pragma once

#include <cstdint>

#include "workloads/random.h"

namespace npusim::workloads {

struct ElementRange {
  std::int64_t begin = 0;
  std::int64_t count = 0;
};

/// In [low, high).
void draw_uniform(const RandomStream& stream, double low, double high, ElementRange range,
                  double* out);
void draw_normal(const RandomStream& stream, double mean, double stddev, ElementRange range,
                 double* out);
/// The normal values at any indices, in any order.
void draw_normal_at(const RandomStream& stream, double mean, double stddev,
                    const std::int64_t* indices, std::int64_t count, double* out);
/// Integers low .. high, each within one part in 2^64 / (high - low + 1) of equally likely.
void draw_integers(const RandomStream& stream, std::int64_t low, std::int64_t high,
                   ElementRange range, double* out);

}  // namespace npusim::workloads
