// SPDX-License-Identifier: Apache-2.0
// A tensor cut into rows along one axis: what softmax and the losses reduce over.
#pragma once

#include "workloads/ops/simple_op.h"

namespace npusim::workloads {

struct RowsAlongAxis {
  std::int64_t outer = 1, length = 1, inner = 1;
  std::int64_t rows() const { return outer * inner; }
  std::size_t at(std::int64_t row, std::int64_t i) const {
    return static_cast<std::size_t>((row / inner * length + i) * inner + row % inner);
  }
};

/// axis may be negative. Throws base::InputError when it is outside the shape.
RowsAlongAxis rows_along(const Shape& shape, std::int64_t axis);

/// log(sum(exp(x))) - and the pieces of a stable softmax - of one row: x - max is exact or rounded
/// once, each exponential and each addition is rounded.
struct StableExponentials {
  double max = 0.0;
  double sum = 0.0;
};
StableExponentials stable_exponentials(const std::vector<double>& x, const RowsAlongAxis& rows,
                                       std::int64_t row, const VectorArithmetic& internal);

}  // namespace npusim::workloads
