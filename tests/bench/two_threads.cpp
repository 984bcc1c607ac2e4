// SPDX-License-Identifier: Apache-2.0
#include "two_threads.h"

#include <algorithm>

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

double two_thread_seconds(const std::function<void(const precision::ParallelFor&)>& work) {
  TwoThreads threads;
  double busier = 0.0;
  double calls = 0.0;
  const precision::ParallelFor parallel = [&](std::int64_t tasks,
                                              const std::function<void(std::int64_t)>& body) {
    const TwoThreads::Taken taken = threads.run([&](std::int64_t which) {
      for (std::int64_t i = which * tasks / 2; i < (which + 1) * tasks / 2; ++i) body(i);
    });
    calls += taken.call;
    busier += std::max(taken.bodies[0], taken.bodies[1]);
  };
  const double all = cpu_seconds([&] { work(parallel); });
  return busier + std::max(0.0, all - calls);
}

}  // namespace npusim::bench
