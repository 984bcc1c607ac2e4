// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/axes.h"

#include <algorithm>

#include "workloads/ops/simple_op.h"

namespace npusim::workloads {

std::size_t positive_axis(std::int64_t axis, std::size_t rank) {
  const std::int64_t positive = axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis;
  if (positive < 0 || positive >= static_cast<std::int64_t>(rank))
    shape_error("axis " + std::to_string(axis) + " is outside a tensor of rank " +
                std::to_string(rank));
  return static_cast<std::size_t>(positive);
}

std::vector<std::int64_t> positive_axes(std::vector<std::int64_t> axes, std::size_t rank) {
  for (std::int64_t& axis : axes) axis = static_cast<std::int64_t>(positive_axis(axis, rank));
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end())
    shape_error("an axis stands twice in " + to_string(axes));
  return axes;
}

std::vector<std::int64_t> axes_of(const NodeView& view, int input) {
  return view.has_input(input) ? view.constant_integers(input) : view.integers("axes");
}

std::vector<std::int64_t> strides_of(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

std::int64_t extent_product(const Shape& shape, std::size_t begin, std::size_t end) {
  std::int64_t product = 1;
  for (std::size_t i = begin; i < end; ++i) product *= shape[i];
  return product;
}

}  // namespace npusim::workloads
