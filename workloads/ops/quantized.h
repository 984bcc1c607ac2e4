// SPDX-License-Identifier: Apache-2.0
// Scales and zero points: one, one an index of an axis, or one a block along an axis.
#pragma once

#include <vector>

#include "workloads/op.h"

namespace npusim::workloads {

/// Which scale each element of x has. `block` 0: no blocks. Throws base::InputError when the
/// scale's shape does not fit.
class ScaleIndex {
 public:
  ScaleIndex(const Shape& x, const Shape& scale, std::int64_t axis, std::int64_t block = 0);
  std::size_t operator()(std::int64_t i) const {
    if (single_) return 0;
    const std::int64_t row = i / inner_ / extent_;
    const std::int64_t along = i / inner_ % extent_;
    if (block_ == 0) return static_cast<std::size_t>(along);
    return static_cast<std::size_t>((row * blocks_ + along / block_) * inner_ + i % inner_);
  }

 private:
  bool single_ = false;
  std::int64_t extent_ = 1, inner_ = 1, block_ = 0, blocks_ = 1;
};

/// x - zero_point for every element; a zero point may be omitted (0).
std::vector<double> without_zero_point(const Tensor& x, const Tensor* zero_point,
                                       std::int64_t axis);

/// saturate(round(value) + zero_point).
double quantized(double value, double zero_point, ElementType type);

}  // namespace npusim::workloads
