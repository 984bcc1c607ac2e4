// SPDX-License-Identifier: Apache-2.0
// The calling thread and one other that waits for work, as a pool has them.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace npusim::bench {

class TwoThreads {
 public:
  TwoThreads();
  ~TwoThreads();
  TwoThreads(const TwoThreads&) = delete;
  TwoThreads& operator=(const TwoThreads&) = delete;
  /// body(0) here and body(1) there; CPU seconds of each.
  std::array<double, 2> run(const std::function<void(std::int64_t)>& body);

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void(std::int64_t)>* body_ = nullptr;
  bool stop_ = false;
  double taken_ = 0.0;
  std::thread other_;
};

}  // namespace npusim::bench
