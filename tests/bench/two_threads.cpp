// SPDX-License-Identifier: Apache-2.0
#include "two_threads.h"

#include "yardsticks.h"

namespace npusim::bench {

TwoThreads::TwoThreads() : other_([this] { serve(); }) {}

TwoThreads::~TwoThreads() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  other_.join();
}

std::array<double, 2> TwoThreads::run(const std::function<void(std::int64_t)>& body) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    body_ = &body;
  }
  changed_.notify_all();
  const double here = cpu_seconds([&] { body(0); });
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return body_ == nullptr; });
  return {here, taken_};
}

void TwoThreads::serve() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || body_ != nullptr; });
    if (stop_) return;
    const auto* const body = body_;
    lock.unlock();
    const double taken = cpu_seconds([&] { (*body)(1); });
    lock.lock();
    taken_ = taken;
    body_ = nullptr;
    changed_.notify_all();
  }
}

}  // namespace npusim::bench
