// SPDX-License-Identifier: Apache-2.0
// A counted resource of engines that a test steps one command after the other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>

namespace npusim::npu::testing {

/// So many tokens; given back at known moments.
class Tokens {
 public:
  explicit Tokens(std::int64_t count) : free_(count) {}
  std::int64_t take(std::int64_t amount, std::int64_t at) {
    while (free_ < amount) {
      const auto first = returns_.begin();
      at = std::max(at, first->first);
      free_ += first->second;
      returns_.erase(first);
    }
    free_ -= amount;
    return at;
  }
  void give(std::int64_t amount, std::int64_t at) { returns_.emplace(at, amount); }

 private:
  std::int64_t free_;
  std::multimap<std::int64_t, std::int64_t> returns_;
};

}  // namespace npusim::npu::testing
