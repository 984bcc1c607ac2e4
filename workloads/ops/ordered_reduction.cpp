// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/ordered_reduction.h"

namespace npusim::workloads {

OrderedReduction::OrderedReduction(const Shape& x, const Shape& kept) {
  std::int64_t stride = 1;
  for (const std::int64_t extent : x) stride *= extent;
  for (std::size_t d = 0; d < x.size(); ++d) {
    stride = x[d] == 0 ? 0 : stride / x[d];
    const std::size_t missing = x.size() - kept.size();
    const bool stays = d >= missing && kept[d - missing] != 1;
    (stays ? results_ : terms_) *= x[d];
    if (x[d] != 1) add_loop(stays ? kept_ : reduced_, x[d], stride);
  }
}

void OrderedReduction::add_loop(std::vector<Loop>& loops, std::int64_t extent,
                                std::int64_t stride) {
  if (!loops.empty() && loops.back().stride == extent * stride)
    loops.back() = {loops.back().extent * extent, stride};
  else
    loops.push_back({extent, stride});
}

std::int64_t OrderedReduction::base_of(std::int64_t result) const {
  std::int64_t offset = 0;
  for (std::size_t d = kept_.size(); d-- > 0;) {
    offset += result % kept_[d].extent * kept_[d].stride;
    result /= kept_[d].extent;
  }
  return offset;
}

std::int64_t OrderedReduction::outer_offset(std::int64_t turn) const {
  std::int64_t offset = 0;
  for (std::size_t d = reduced_.empty() ? 0 : reduced_.size() - 1; d-- > 0;) {
    offset += turn % reduced_[d].extent * reduced_[d].stride;
    turn /= reduced_[d].extent;
  }
  return offset;
}

}  // namespace npusim::workloads
