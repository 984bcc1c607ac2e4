// SPDX-License-Identifier: Apache-2.0
// What the kernels are measured against, on the same machine and in the same run: OpenBLAS sgemm on
// one thread, a copy of arrays too large for the caches, and fused multiply-adds on registers only.
// Times are CPU seconds of the calling thread: other work on the machine does not count.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace npusim::bench {

double cpu_seconds(const std::function<void()>& work);
double median(std::vector<double> values);

/// Multiply-accumulates per second of an n x n x n product.
double sgemm_rate(std::int64_t n);
/// Values per second that memcpy moves between the same two arrays.
double copy_rate(const std::vector<float>& from, std::vector<float>& to);
/// Multiply-accumulates per second in vectors as wide as those of the named SIMD path; 0 where it
/// is not one of "avx512" and "avx2".
double fma_peak_rate(const char* simd_path);

}  // namespace npusim::bench
