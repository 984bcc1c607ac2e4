// SPDX-License-Identifier: Apache-2.0
// Worker threads for loops whose iterations write disjoint data, so that results cannot depend on
// the number of threads. Threads start at the first parallel_for, never in the constructor: timing
// runs fork before that.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace npusim::base {

class ThreadPool {
 public:
  /// threads 0: one per core. 1: everything runs on the caller's thread.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }
  /// Calls body(0) ... body(count - 1), each once, on any thread, and returns when all are done.
  /// The first exception (by index) is rethrown. Not reentrant: a nested call runs on its caller.
  void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body);

 private:
  struct State;
  int threads_;
  std::unique_ptr<State> state_;
};

}  // namespace npusim::base
