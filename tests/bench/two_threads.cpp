// SPDX-License-Identifier: Apache-2.0
#include "two_threads.h"

#include "yardsticks.h"

namespace npusim::bench {

TwoThreads::TwoThreads() : other_([this] { serve(); }) {}

TwoThreads::~TwoThreads() {
  stop_ = true;
  other_.join();
}

TwoThreads::Taken TwoThreads::run(const std::function<void(std::int64_t)>& body) {
  Taken taken;
  taken.call = cpu_seconds([&] {
    body_ = &body;
    taken.bodies[0] = cpu_seconds([&] { body(0); });
    while (body_ != nullptr) {
    }
  });
  taken.bodies[1] = taken_;
  return taken;
}

void TwoThreads::serve() {
  while (!stop_) {
    const auto* const body = body_.load();
    if (body == nullptr) continue;
    taken_ = cpu_seconds([&] { (*body)(1); });
    body_ = nullptr;
  }
}

}  // namespace npusim::bench
