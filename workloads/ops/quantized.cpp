// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/quantized.h"

#include <cmath>

#include "workloads/ops/axes.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {

ScaleIndex::ScaleIndex(const Shape& x, const Shape& scale, std::int64_t axis, std::int64_t block) {
  single_ = element_count(scale) == 1 && scale.size() <= 1;
  if (single_) return;
  const std::size_t at = positive_axis(axis, x.size());
  extent_ = std::max<std::int64_t>(1, x[at]);
  inner_ = std::max<std::int64_t>(1, extent_product(x, at + 1, x.size()));
  if (scale.size() == 1) {
    if (scale[0] != x[at])
      shape_error("scale " + to_string(scale) + " is not one an index of axis " +
                  std::to_string(axis) + " of " + to_string(x));
    return;
  }
  Shape blocks = x;
  if (block > 0) blocks[at] = (x[at] + block - 1) / block;
  if (block <= 0 || scale != blocks)
    shape_error("scale " + to_string(scale) + " does not fit blocks of " + std::to_string(block) +
                " of " + to_string(x));
  block_ = block;
  blocks_ = blocks[at];
}

std::vector<double> without_zero_point(const Tensor& x, const Tensor* zero_point,
                                       std::int64_t axis) {
  std::vector<double> result = x.values;
  if (zero_point == nullptr) return result;
  const ScaleIndex index(x.shape, zero_point->shape, axis);
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] -= zero_point->values[index(static_cast<std::int64_t>(i))];
  return result;
}

double quantized(double value, double zero_point, ElementType type) {
  return saturated(std::nearbyint(value) + zero_point, type);
}

}  // namespace npusim::workloads
