// SPDX-License-Identifier: Apache-2.0
// Cycles that SCALE-Sim (v2, v3; Samajdar et al., ISPASS 2020) prints for one product with bw_mode
// CALC, as formulas: not modes of a machine of ours. Its assumptions: every fold pays the whole
// array, folds never overlap, an accumulation takes one cycle, results of an output-stationary
// array are not drained, memory never waits, and the printed total is one cycle short (SCALE-Sim
// issue 125). For m x n x k on R x C:
//
//   output-stationary  ceil(m/R)*ceil(n/C)*(k + R + C - 2) - 1
//   weight-stationary  ceil(k/R)*ceil(n/C)*(m + 2R + C - 2) - 1
//   input-stationary   ceil(k/R)*ceil(m/C)*(n + 2R + C - 2) - 1
#pragma once

#include "npu_models/npu_spec.h"
#include "npu_models/organisation.h"

namespace npusim::npu::compat {

std::int64_t scalesim_cycles(Dataflow dataflow, std::int64_t rows, std::int64_t cols,
                             const TileShape& product);

}  // namespace npusim::npu::compat
