// SPDX-License-Identifier: Apache-2.0
// A weight-stationary array stepped cycle by cycle, every element a cell with registers: inputs
// move right a column a cycle, partial sums (and, without shadow registers, weights) move down a
// row in L cycles. Written apart from npu_models: its cycles and values check the closed forms.
#pragma once

#include <cstdint>
#include <vector>

namespace npusim::npu::testing {

struct SteppedArray {
  int rows = 1, cols = 1, latency = 1;
  bool fold_overlap = false, preload_hiding = false;
};

struct SteppedResult {
  std::int64_t cycles = 0;
  std::vector<std::int64_t> values;  ///< m x n, summed over the folds of K
};

/// x: m x k and w: k x n, row-major.
SteppedResult step_gemm(const SteppedArray& array, int m, int n, int k,
                        const std::vector<std::int64_t>& x, const std::vector<std::int64_t>& w);

}  // namespace npusim::npu::testing
