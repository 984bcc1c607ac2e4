// SPDX-License-Identifier: Apache-2.0
// A tensor seen as rows that lie one after the other in memory, along which the values of a smaller
// tensor that broadcasts to it are all the same, or follow one another.
#pragma once

#include <algorithm>
#include <vector>

#include "precision/gemm.h"
#include "workloads/tensor.h"

namespace npusim::workloads {

class SpreadRows {
 public:
  /// `kept` has the rank of x, and its extents or 1.
  SpreadRows(const Shape& x, const Shape& kept);

  std::int64_t count() const { return count_; }
  std::int64_t length() const { return length_; }
  /// 0: one value for a whole row; 1: one an element.
  std::int64_t step() const { return step_; }
  /// Where a row's (first) value lies in the smaller tensor.
  std::int64_t index(std::int64_t row) const {
    std::int64_t at = 0;
    for (const Loop& loop : loops_) {
      at += row % loop.extent * loop.stride;
      row /= loop.extent;
    }
    return at;
  }

 private:
  struct Loop {
    std::int64_t extent, stride;
  };
  std::vector<Loop> loops_;  ///< over rows, innermost first
  std::int64_t count_ = 1, length_ = 1, step_ = 0;
};

/// body(row) for every row, on several threads.
template <class Body>
void for_rows(const precision::ParallelFor& parallel, const SpreadRows& rows, const Body& body) {
  const std::int64_t at_once =
      std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, rows.length()));
  parallel((rows.count() + at_once - 1) / at_once, [&](std::int64_t block) {
    const std::int64_t end = std::min(rows.count(), (block + 1) * at_once);
    for (std::int64_t row = block * at_once; row < end; ++row) body(row);
  });
}

}  // namespace npusim::workloads
