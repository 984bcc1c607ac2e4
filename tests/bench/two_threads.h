// SPDX-License-Identifier: Apache-2.0
// The calling thread and one other that waits for work awake, as the pools of OpenMP and TBB do
// between products that follow each other: a virtual processor that sleeps may wake up on another
// core.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "precision/gemm.h"

namespace npusim::bench {

class TwoThreads {
 public:
  TwoThreads();
  ~TwoThreads();
  TwoThreads(const TwoThreads&) = delete;
  TwoThreads& operator=(const TwoThreads&) = delete;
  /// CPU seconds of body(0), here, of body(1), there, and of the whole call, waiting included.
  struct Taken {
    std::array<double, 2> bodies = {};
    double call = 0.0;
  };
  Taken run(const std::function<void(std::int64_t)>& body);

 private:
  void serve();

  std::atomic<const std::function<void(std::int64_t)>*> body_{nullptr};
  std::atomic<bool> stop_{false};
  double taken_ = 0.0;  ///< belongs to whoever last changed body_
  std::thread other_;
};

/// CPU seconds of the busier of two threads that share the tasks of `work` evenly: wall time that
/// other work on the machine does not lengthen. What is not shared out counts in full.
double two_thread_seconds(const std::function<void(const precision::ParallelFor&)>& work);

}  // namespace npusim::bench
