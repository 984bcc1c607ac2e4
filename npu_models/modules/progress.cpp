// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/progress.h"

#include "base/error.h"

namespace npusim::npu::model {

void Progress::complete(Picos end) {
  NPUSIM_CHECK(pending_.empty() || end >= pending_.back(), "an in-order engine completes in order");
  const Picos now = now_picos();
  while (!pending_.empty() && pending_.front() <= now) {
    pending_.pop_front();
    ++ended_;
  }
  pending_.push_back(end);
  published_.notify();
}

Picos Progress::end_of(std::uint64_t count) {
  while (published() < count) sc_core::wait(published_);
  return count > ended_ ? pending_[static_cast<std::size_t>(count - ended_ - 1)] : 0;
}

}  // namespace npusim::npu::model
