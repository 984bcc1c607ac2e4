// SPDX-License-Identifier: Apache-2.0
// Published figures from a CSV file; its header says which: columns
//
//   m, n, k (or dim_m, dim_n, dim_k) and us, fusion_avg (microseconds) or cycles: measured
//   products,
//       simulated on an NPU as it stands
//   M, N, K, array_rows, array_cols, dataflow, compute_cycles: totals of SCALE-Sim, against its
//       formula; rows with a bw_mode other than CALC or a workload other than gemm are left out
//   M, N, K, array (RxC), total_cycles: totals of ONNXim, against its formula; rows with a workload
//       that does not begin with g (convolutions) are left out
//
// Other columns are ignored. Nothing is fitted.
#pragma once

#include <string>

#include "sim/validation/validation.h"

namespace npusim::sim {

ValidationSet reference_figures(const std::string& file, const std::string& npu, int jobs);

}  // namespace npusim::sim
