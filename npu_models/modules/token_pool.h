// SPDX-License-Identifier: Apache-2.0
// A counted resource (buffer slots, bytes of accumulator memory) with one taker, in program order,
// and any number of givers. A giver may announce a release ahead of time.
#pragma once

#include <cstdint>
#include <vector>

#include "npu_models/modules/sim_time.h"
#include "npu_models/modules/trace.h"

namespace npusim::npu::model {

class TokenPool {
 public:
  explicit TokenPool(std::int64_t capacity) : capacity_(capacity), free_(capacity) {}
  void watch(Occupancy& occupancy) { occupancy_ = &occupancy; }
  std::int64_t capacity() const { return capacity_; }

  /// Takes `amount` at the first moment from `earliest` on at which they are free, and suspends the
  /// calling thread until then.
  void acquire(std::int64_t amount, Picos earliest = 0);
  /// `amount` become free at that moment.
  void release(std::int64_t amount, Picos moment);

 private:
  struct Announced {
    Picos moment;
    std::int64_t amount;
  };
  void absorb(Picos until);
  void note(Picos moment, std::int64_t change);

  std::int64_t capacity_;
  std::int64_t free_;
  Occupancy* occupancy_ = nullptr;
  std::vector<Announced> announced_;  ///< latest first
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
