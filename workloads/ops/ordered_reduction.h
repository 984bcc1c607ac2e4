// SPDX-License-Identifier: Apache-2.0
// Reductions over some dimensions of a tensor, the terms of each result in the order in which they
// lie in memory. Results do not depend on each other, so several are taken at once: on several
// threads, and in turn on one, whose additions then do not wait for one another.
#pragma once

#include <array>
#include <vector>

#include "precision/gemm.h"
#include "workloads/tensor.h"

namespace npusim::workloads {

class OrderedReduction {
 public:
  /// `kept` broadcasts to x: its dimensions of extent 1 (or that it has not) are reduced.
  OrderedReduction(const Shape& x, const Shape& kept);

  /// y[o] = next(y[o], term, o) over the terms of result o, for every o.
  template <class Next>
  void run(const double* x, double* y, const precision::ParallelFor& parallel,
           const Next& next) const {
    if (terms_ == 0) return;
    const auto task = [&](std::int64_t i) {
      const std::int64_t first = i * kAtOnce;
      if (first + kAtOnce <= results_) return some<kAtOnce>(first, x, y, next);
      for (std::int64_t o = first; o < results_; ++o) some<1>(o, x, y, next);
    };
    const std::int64_t tasks = (results_ + kAtOnce - 1) / kAtOnce;
    if (results_ * terms_ >= kWorthThreads) return parallel(tasks, task);
    for (std::int64_t i = 0; i < tasks; ++i) task(i);
  }

 private:
  static constexpr std::int64_t kAtOnce = 4;
  static constexpr std::int64_t kWorthThreads = 1 << 13;

  struct Loop {
    std::int64_t extent, stride;
  };
  static void add_loop(std::vector<Loop>& loops, std::int64_t extent, std::int64_t stride);
  std::int64_t base_of(std::int64_t result) const;
  /// Where the terms of one turn of the innermost reduced loop begin.
  std::int64_t outer_offset(std::int64_t turn) const;

  template <std::int64_t N, class Next>
  void some(std::int64_t first, const double* x, double* y, const Next& next) const {
    std::array<const double*, N> from{};
    std::array<double, N> sums{};
    for (std::int64_t j = 0; j < N; ++j) {
      from[static_cast<std::size_t>(j)] = x + base_of(first + j);
      sums[static_cast<std::size_t>(j)] = y[first + j];
    }
    const Loop inner = reduced_.empty() ? Loop{1, 0} : reduced_.back();
    for (std::int64_t turn = 0; turn < terms_ / inner.extent; ++turn) {
      const std::int64_t offset = outer_offset(turn);
      for (std::int64_t i = 0; i < inner.extent; ++i)
        for (std::size_t j = 0; j < N; ++j)
          sums[j] = next(sums[j], from[j][offset + i * inner.stride],
                         static_cast<std::size_t>(first) + j);
    }
    for (std::size_t j = 0; j < N; ++j) y[first + static_cast<std::int64_t>(j)] = sums[j];
  }

  std::vector<Loop> kept_, reduced_;  ///< outermost first, neighbours merged
  std::int64_t results_ = 1, terms_ = 1;
};

}  // namespace npusim::workloads
