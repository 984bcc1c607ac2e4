// SPDX-License-Identifier: Apache-2.0
// Counters in memory that a process shares with the children that it forks: what a child has done,
// told at the price of a store.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace npusim::base {

class SharedCounters {
 public:
  using Counter = std::atomic<std::int64_t>;

  /// All zero. Without memory to share, counters of this process alone: children then seem to do
  /// nothing.
  explicit SharedCounters(std::size_t count);
  ~SharedCounters();
  SharedCounters(const SharedCounters&) = delete;
  SharedCounters& operator=(const SharedCounters&) = delete;

  Counter& operator[](std::size_t i) { return counters_[i]; }
  std::int64_t sum() const;

 private:
  std::size_t count_;
  Counter* counters_ = nullptr;
  bool mapped_ = false;
};

}  // namespace npusim::base
