// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/token_pool.h"

#include <algorithm>
#include <iterator>

#include "base/error.h"

namespace npusim::npu::model {

void TokenPool::absorb(Picos until) {
  while (!announced_.empty() && announced_.back().moment <= until) {
    free_ += announced_.back().amount;
    announced_.pop_back();
  }
}

void TokenPool::acquire(std::int64_t amount, Picos earliest) {
  NPUSIM_CHECK(amount <= capacity_, "a request larger than the whole resource never ends");
  for (absorb(std::max(now_picos(), earliest)); free_ < amount;
       absorb(std::max(now_picos(), earliest))) {
    // A release announced meanwhile may come before the ones known now: wake for either.
    if (announced_.empty()) {
      sc_core::wait(changed_);
    } else {
      sc_core::wait(to_time(announced_.back().moment - now_picos()), changed_);
    }
  }
  free_ -= amount;
  wait_until(earliest);
  note(now_picos(), amount);
}

void TokenPool::release(std::int64_t amount, Picos moment) {
  auto place = announced_.end();
  while (place != announced_.begin() && std::prev(place)->moment < moment) --place;
  announced_.insert(place, {moment, amount});
  changed_.notify();
  note(moment, -amount);
}

void TokenPool::note(Picos moment, std::int64_t change) {
  if (occupancy_ == nullptr || occupancy_->changes.size() >= Trace::kMostEvents) return;
  occupancy_->changes.push_back({moment, change});
}

}  // namespace npusim::npu::model
