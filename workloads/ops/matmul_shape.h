// SPDX-License-Identifier: Apache-2.0
// NumPy's matmul: batches over leading dimensions, which broadcast; a vector is a row on the left,
// a column on the right, and its dimension is dropped from the result.
#pragma once

#include <vector>

#include "workloads/op.h"

namespace npusim::workloads {

struct MatMulShape {
  std::int64_t m = 1, n = 1, k = 1;
  Shape batch_a, batch_b, batch;
  bool row = false, column = false;       ///< an operand is a vector
  bool trans_a = false, trans_b = false;  ///< stored with the last two dimensions swapped

  Shape result() const;
  /// All rows of A against one B where B has no batch, else a product a batch.
  Contraction contraction(GemmRole role, std::vector<precision::ReduceDim> dims) const;
  void multiply(const MatrixEngine& engine, const std::vector<double>& a,
                const std::vector<double>& b, std::vector<double>& y) const;
};

/// Throws base::InputError naming the shapes that do not multiply.
MatMulShape matmul_shape(const Shape& a, const Shape& b, bool trans_a = false,
                         bool trans_b = false);

}  // namespace npusim::workloads
