// SPDX-License-Identifier: Apache-2.0
// A counted resource (buffer slots, bytes of accumulator memory) with one taker, in program order,
// and any number of givers. A giver may announce a release ahead of time.
#pragma once

#include <cstdint>
#include <map>

#include "npu_models/modules/sim_time.h"

namespace npusim::npu::model {

class TokenPool {
 public:
  explicit TokenPool(std::int64_t capacity) : capacity_(capacity), free_(capacity) {}
  std::int64_t capacity() const { return capacity_; }

  /// Suspends the calling thread until `amount` are free, then takes them.
  void acquire(std::int64_t amount);
  /// `amount` become free at that moment.
  void release(std::int64_t amount, Picos moment);

 private:
  void absorb_due();

  std::int64_t capacity_;
  std::int64_t free_;
  std::multimap<Picos, std::int64_t> announced_;
  sc_core::sc_event changed_;
};

/// Tokens to give back when a command ends.
struct Release {
  TokenPool* pool = nullptr;
  std::int64_t amount = 1;

  void at(Picos moment) const {
    if (pool != nullptr) pool->release(amount, moment);
  }
};

}  // namespace npusim::npu::model
