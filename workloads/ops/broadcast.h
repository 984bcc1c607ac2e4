// SPDX-License-Identifier: Apache-2.0
// NumPy broadcasting of two shapes, as ONNX's element-wise ops use it.
#pragma once

#include <string>
#include <vector>

#include "workloads/tensor.h"

namespace npusim::workloads {

/// The common shape. Throws base::InputError naming both shapes when there is none.
Shape broadcast_shape(const Shape& a, const Shape& b, const std::string& op);

/// Offset of each element of `to`, read from a tensor of shape `from` that broadcasts to it: one
/// object a tensor, cheap to ask in order.
class BroadcastIndex {
 public:
  BroadcastIndex(const Shape& from, const Shape& to);
  std::int64_t operator()(std::int64_t index) const {
    if (same_) return index;
    std::int64_t offset = 0;
    for (std::size_t d = sizes_.size(); d-- > 1;) {
      offset += index % sizes_[d] * strides_[d];
      index /= sizes_[d];
    }
    return sizes_.empty() ? 0 : offset + index * strides_[0];
  }

 private:
  bool same_;
  std::vector<std::int64_t> sizes_, strides_;
};

}  // namespace npusim::workloads
