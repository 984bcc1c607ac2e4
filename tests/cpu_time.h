// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ctime>

namespace npusim::test {

/// CPU seconds of this process since construction: what a test of an algorithm's growth may bound,
/// since other work on the machine does not count.
class CpuTime {
 public:
  [[nodiscard]] double seconds() const {
    return static_cast<double>(std::clock() - start_) / CLOCKS_PER_SEC;
  }

 private:
  std::clock_t start_ = std::clock();
};

/// How much longer the instrumented builds may take.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double slow_build = 10.0;
#else
constexpr double slow_build = 1.0;
#endif

}  // namespace npusim::test
