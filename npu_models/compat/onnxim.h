// SPDX-License-Identifier: Apache-2.0
// Cycles that ONNXim (commit a1e8629, weight-stationary core with DRAM) prints for one product, as
// a formula. From its tile rule: a tile of weights is followed by the next one after max(m, R)
// cycles, because the next preload hides behind the stream, and the last one drains for R + C - 2.
// What passes before the first tile (requests through its network and DRAM, and the last result
// back) is one fitted number, kFittedStartCycles: the figures printed for 256^3 and 100x1000x333 on
// 128x128 leave 792 and 772 cycles. For m x n x k on R x C:
//
//   ceil(k/R)*ceil(n/C)*max(m, R) + R + C - 2 + start
#pragma once

#include "npu_models/organisation.h"

namespace npusim::npu::compat {

inline constexpr std::int64_t kFittedStartCycles = 800;

std::int64_t onnxim_cycles(std::int64_t rows, std::int64_t cols, const TileShape& product);

}  // namespace npusim::npu::compat
