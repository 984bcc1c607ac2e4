// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/indexing.h"

#include "workloads/ops/axes.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {

std::int64_t checked_index(double index, std::int64_t extent) {
  const double positive = index < 0.0 ? index + static_cast<double>(extent) : index;
  if (!(positive >= 0.0 && positive < static_cast<double>(extent)))
    throw base::InputError("index " + std::to_string(static_cast<std::int64_t>(index)) +
                               " is outside an extent of " + std::to_string(extent),
                           "out-of-range");
  return static_cast<std::int64_t>(positive);
}

void check_element_indices(const Shape& x, const Shape& indices, std::size_t axis) {
  bool fits = x.size() == indices.size();
  for (std::size_t d = 0; fits && d < x.size(); ++d) fits = d == axis || indices[d] <= x[d];
  if (!fits)
    shape_error("indices " + to_string(indices) + " do not fit " + to_string(x) + " along axis " +
                std::to_string(axis));
}

std::vector<std::int64_t> element_targets(const Shape& x, const Tensor& indices, std::size_t axis) {
  const std::vector<std::int64_t> strides = strides_of(x);
  std::vector<std::int64_t> result(indices.values.size());
  for_positions(indices.shape, [&](std::int64_t i, const std::vector<std::int64_t>& at) {
    std::int64_t offset = 0;
    for (std::size_t d = 0; d < at.size(); ++d) {
      const auto index = static_cast<std::size_t>(i);
      offset += strides[d] * (d == axis ? checked_index(indices.values[index], x[d]) : at[d]);
    }
    result[static_cast<std::size_t>(i)] = offset;
  });
  return result;
}

Slices tuple_slices(const Shape& x, const Tensor& indices) {
  const auto depth = static_cast<std::size_t>(indices.shape.back());
  const std::vector<std::int64_t> strides = strides_of(x);
  Slices slices;
  slices.length = extent_product(x, depth, x.size());
  slices.starts.resize(
      static_cast<std::size_t>(extent_product(indices.shape, 0, indices.shape.size() - 1)));
  for (std::size_t t = 0; t < slices.starts.size(); ++t)
    for (std::size_t d = 0; d < depth; ++d)
      slices.starts[t] += strides[d] * checked_index(indices.values[t * depth + d], x[d]);
  return slices;
}

}  // namespace npusim::workloads
