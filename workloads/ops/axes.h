// SPDX-License-Identifier: Apache-2.0
// Axes and strides of row-major tensors, as ONNX counts them (negative from the end).
#pragma once

#include <vector>

#include "workloads/op.h"

namespace npusim::workloads {

/// axis in [0, rank); base::InputError when it is outside.
std::size_t positive_axis(std::int64_t axis, std::size_t rank);

/// Sorted, without negatives; base::InputError for one outside or twice.
std::vector<std::int64_t> positive_axes(std::vector<std::int64_t> axes, std::size_t rank);

/// The axes of a node: constant input `input` where there is one (newer opsets), else the attribute
/// "axes" (older ones). Empty when neither says anything.
std::vector<std::int64_t> axes_of(const NodeView& view, int input);

/// Elements between neighbours along each dimension.
std::vector<std::int64_t> strides_of(const Shape& shape);

/// product of shape[begin, end).
std::int64_t extent_product(const Shape& shape, std::size_t begin, std::size_t end);

/// Calls body(offsets) for every multi-index of `shape` in order; `at` is kept up to date.
template <class Body>
void for_positions(const Shape& shape, const Body& body) {
  std::vector<std::int64_t> at(shape.size(), 0);
  const std::int64_t count = element_count(shape);
  for (std::int64_t i = 0; i < count; ++i) {
    body(i, at);
    for (std::size_t d = shape.size(); d-- > 0;) {
      if (++at[d] < shape[d]) break;
      at[d] = 0;
    }
  }
}

}  // namespace npusim::workloads
