// SPDX-License-Identifier: Apache-2.0
// A matrix quantised to a block-scaled format, row by row along K, as an operand of emulated_gemm:
// elements, and the scale of the block that each stands in. The scale of the tensor is not in them:
// machines multiply the result by it.
#pragma once

#include <cstdint>
#include <vector>

#include "precision/block_quantize.h"
#include "precision/gemm.h"

namespace npusim::precision {

class BlockScaledRows final : public OperandRows {
 public:
  /// `values` holds rows x k, row-major; they are quantised at once. With sr the element in row r,
  /// column i has index r * k + i.
  BlockScaledRows(const BlockFormat& format, const double* values, std::int64_t rows,
                  std::int64_t k, const ElementRounding& rounding = {});

  std::int64_t rows() const override { return rows_; }
  void read(std::int64_t row, double* k_values) const override;
  bool has_scales() const override { return true; }
  void read_scales(std::int64_t row, double* k_scales) const override;

  double tensor_scale() const { return tensor_scale_; }
  /// The `blocks(k)` scales of a row.
  const double* scales(std::int64_t row) const { return scales_.data() + row * blocks_; }

 private:
  std::int64_t rows_, k_, block_, blocks_;
  double tensor_scale_;
  std::vector<double> elements_, scales_;
};

}  // namespace npusim::precision
