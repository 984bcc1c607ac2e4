// SPDX-License-Identifier: Apache-2.0
#include "npu_models/compat/scalesim.h"

#include "npu_models/organisations/organisations.h"

namespace npusim::npu::compat {

std::int64_t scalesim_cycles(Dataflow dataflow, std::int64_t rows, std::int64_t cols,
                             const TileShape& product) {
  const std::int64_t skew = rows + cols - 2;
  switch (dataflow) {
    case Dataflow::output_stationary:
      return ceil_div(product.m, rows) * ceil_div(product.n, cols) * (product.k + skew) - 1;
    case Dataflow::weight_stationary:
      return ceil_div(product.k, rows) * ceil_div(product.n, cols) * (product.m + rows + skew) - 1;
    case Dataflow::input_stationary:
      return ceil_div(product.k, rows) * ceil_div(product.m, cols) * (product.n + rows + skew) - 1;
  }
  return 0;
}

}  // namespace npusim::npu::compat
