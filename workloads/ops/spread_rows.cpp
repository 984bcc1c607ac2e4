// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/spread_rows.h"

namespace npusim::workloads {

SpreadRows::SpreadRows(const Shape& x, const Shape& kept) {
  std::int64_t stride = 1;
  for (std::size_t d = x.size(); d-- > 0;) {
    if (x[d] == 1) continue;
    const std::int64_t here = kept[d] == 1 ? 0 : stride;
    stride *= kept[d];
    // Neighbouring dimensions that are walked as one are one.
    if (!loops_.empty() && here == loops_.back().extent * loops_.back().stride)
      loops_.back().extent *= x[d];
    else
      loops_.push_back({x[d], here});
  }
  if (!loops_.empty()) {
    length_ = loops_.front().extent;
    step_ = loops_.front().stride;
    loops_.erase(loops_.begin());
  }
  for (const Loop& loop : loops_) count_ *= loop.extent;
}

}  // namespace npusim::workloads
