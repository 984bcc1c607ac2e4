// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/broadcast.h"

#include <algorithm>

#include "workloads/ops/simple_op.h"

namespace npusim::workloads {

Shape broadcast_shape(const Shape& a, const Shape& b, const std::string& op) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      shape_error(op + ": shapes " + to_string(a) + " and " + to_string(b) + " do not broadcast");
    result[result.size() - 1 - i] = x == 1 ? y : x;
  }
  return result;
}

BroadcastIndex::BroadcastIndex(const Shape& from, const Shape& to) : same_(from == to) {
  std::vector<std::int64_t> strides(to.size(), 0);
  std::int64_t stride = 1;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::int64_t extent = from[from.size() - 1 - i];
    if (extent != 1) strides[to.size() - 1 - i] = stride;
    stride *= extent;
  }
  // Neighbouring dimensions that are walked as one are one: a division an element less.
  for (std::size_t d = 0; d < to.size(); ++d) {
    if (!sizes_.empty() && strides_.back() == strides[d] * to[d]) {
      sizes_.back() *= to[d];
      strides_.back() = strides[d];
    } else {
      sizes_.push_back(to[d]);
      strides_.push_back(strides[d]);
    }
  }
}

}  // namespace npusim::workloads
