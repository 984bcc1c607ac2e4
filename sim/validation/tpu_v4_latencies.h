// SPDX-License-Identifier: Apache-2.0
// Latencies of float16 matrix products measured on a TPU v4: averages of 20 runs of one fused
// kernel, in microseconds, rounded to nanoseconds. Source: scalesim-project/SCALE-Sim-validation,
// commit 45818f1, data/data_matmul_new, MIT licence, the set of 128 to 1024 in steps of 128.
#pragma once

namespace npusim::sim {

inline constexpr int kTpuV4Sides = 8;
inline constexpr int kTpuV4Step = 128;

/// Of (m+1)*128 x (k+1)*128 times (k+1)*128 x (n+1)*128.
double tpu_v4_microseconds(int m, int n, int k);

}  // namespace npusim::sim
