// SPDX-License-Identifier: Apache-2.0
#include "base/shared_counters.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace npusim::base {

static_assert(SharedCounters::Counter::is_always_lock_free, "a lock would be a process's own");

SharedCounters::SharedCounters(std::size_t count) : count_(std::max<std::size_t>(1, count)) {
  void* memory = ::mmap(nullptr, count_ * sizeof(Counter), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  mapped_ = memory != MAP_FAILED;
  if (!mapped_) {
    counters_ = new Counter[count_]();
    return;
  }
  for (std::size_t i = 0; i < count_; ++i) new (static_cast<Counter*>(memory) + i) Counter(0);
  counters_ = static_cast<Counter*>(memory);
}

SharedCounters::~SharedCounters() {
  if (mapped_)
    ::munmap(counters_, count_ * sizeof(Counter));
  else
    delete[] counters_;
}

std::int64_t SharedCounters::sum() const {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < count_; ++i) sum += counters_[i].load(std::memory_order_relaxed);
  return sum;
}

}  // namespace npusim::base
