// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/token_pool.h"

#include "base/error.h"

namespace npusim::npu::model {

void TokenPool::absorb_due() {
  const Picos now = now_picos();
  while (!announced_.empty() && announced_.begin()->first <= now) {
    free_ += announced_.begin()->second;
    announced_.erase(announced_.begin());
  }
}

void TokenPool::acquire(std::int64_t amount) {
  NPUSIM_CHECK(amount <= capacity_, "a request larger than the whole resource never ends");
  for (absorb_due(); free_ < amount; absorb_due()) {
    // A release announced meanwhile may come before the ones known now: wake for either.
    if (announced_.empty()) {
      sc_core::wait(changed_);
    } else {
      sc_core::wait(to_time(announced_.begin()->first - now_picos()), changed_);
    }
  }
  free_ -= amount;
}

void TokenPool::release(std::int64_t amount, Picos moment) {
  announced_.emplace(moment, amount);
  changed_.notify();
}

}  // namespace npusim::npu::model
