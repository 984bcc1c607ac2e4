// SPDX-License-Identifier: Apache-2.0
// Random choices for tests over many cases: the same from a seed on every machine.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>

namespace npusim::npu::testing {

class Random {
 public:
  explicit Random(std::size_t seed) : engine_(static_cast<unsigned>(seed)) {}
  /// From low to high, both included.
  std::int64_t in(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<unsigned>(high - low + 1));
  }
  bool flip() { return in(0, 1) == 1; }
  template <class T>
  T of(std::initializer_list<T> values) {
    return *(values.begin() + in(0, static_cast<std::int64_t>(values.size()) - 1));
  }

 private:
  std::mt19937 engine_;
};

}  // namespace npusim::npu::testing
