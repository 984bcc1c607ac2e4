// SPDX-License-Identifier: Apache-2.0
// Index arithmetic that gathering and scattering share.
#pragma once

#include <vector>

#include "workloads/op.h"

namespace npusim::workloads {

/// An index in [0, extent), negative ones from the end; base::InputError ("out-of-range") else.
std::int64_t checked_index(double index, std::int64_t extent);

/// Requires indices of x's rank that reach no further than x outside the axis.
void check_element_indices(const Shape& x, const Shape& indices, std::size_t axis);

/// For each element of `indices`: the offset in x with the index in place along the axis.
std::vector<std::int64_t> element_targets(const Shape& x, const Tensor& indices, std::size_t axis);

/// For each tuple (last dimension of `indices`): where its slice of x starts.
struct Slices {
  std::vector<std::int64_t> starts;
  std::int64_t length = 1;
};
Slices tuple_slices(const Shape& x, const Tensor& indices);

}  // namespace npusim::workloads
