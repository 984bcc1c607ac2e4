// SPDX-License-Identifier: Apache-2.0
// How the values of an array are distributed, as far as it decides what sums of them lose:
// zero-mean sums cancel and hide an accumulator's error, long tails set its range. NaN and
// infinities are left out. Sums run in blocks of 2^14 elements, eight lanes each, added in order:
// no trace of threads.
#pragma once

#include <cstdint>

#include "precision/gemm.h"

namespace npusim::precision {

struct Distribution {
  std::int64_t count = 0;  ///< finite values
  double mean = 0.0;
  double stddev = 0.0;
  double max_abs = 0.0;
  double kurtosis =
      0.0;  ///< fourth central moment / stddev^4: 3 for a normal one; 0 where stddev is
  double zero_pct = 0.0;
};

Distribution distribution_of(const double* values, std::int64_t count, const ParallelFor& parallel);

}  // namespace npusim::precision
