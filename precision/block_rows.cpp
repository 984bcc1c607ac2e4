// SPDX-License-Identifier: Apache-2.0
#include "precision/block_rows.h"

#include <algorithm>

namespace npusim::precision {

BlockScaledRows::BlockScaledRows(const BlockFormat& format, const double* values, std::int64_t rows,
                                 std::int64_t k, const ElementRounding& rounding)
    : rows_(rows),
      k_(k),
      block_(format.block == BlockFormat::kWholeRow ? k : format.block),
      blocks_(format.blocks(k)),
      tensor_scale_(tensor_scale_of(format, finite_amax(values, rows * k))),
      elements_(static_cast<std::size_t>(rows * k)),
      scales_(static_cast<std::size_t>(rows * blocks_)) {
  for (std::int64_t r = 0; r < rows; ++r)
    quantize_row(format, values + r * k, k, tensor_scale_, rounding,
                 static_cast<std::uint64_t>(r * k), elements_.data() + r * k,
                 scales_.data() + r * blocks_);
}

void BlockScaledRows::read(std::int64_t row, double* k_values) const {
  std::copy_n(elements_.data() + row * k_, k_, k_values);
}

void BlockScaledRows::read_scales(std::int64_t row, double* k_scales) const {
  for (std::int64_t i = 0; i < k_; ++i) k_scales[i] = scales(row)[i / block_];
}

}  // namespace npusim::precision
