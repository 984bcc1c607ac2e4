// SPDX-License-Identifier: Apache-2.0
#include "yardsticks.h"

#include <benchmark/benchmark.h>
#include <cblas.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <string>

// OpenBLAS has it; not every cblas.h says so.
extern "C" void openblas_set_num_threads(int count);

namespace npusim::bench {
namespace {

double thread_cpu_clock() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

#if defined(__x86_64__)
/// Four cycles of latency and two pipes need eight sums; more leave room for wider machines.
constexpr int kSums = 12;
constexpr long kSteps = 100000;

template <class Vector>
inline __attribute__((always_inline)) void fma_loop() {
  Vector sums[kSums];
  const Vector a = 1.0000001F - Vector{};
  const Vector b = 1e-9F - Vector{};
#pragma GCC unroll 12
  for (int i = 0; i < kSums; ++i) sums[i] = a * static_cast<float>(i);
  for (long step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = sums[i] * a + b;
  }
#pragma GCC unroll 12
  for (int i = 1; i < kSums; ++i) sums[0] += sums[i];
  benchmark::DoNotOptimize(sums[0]);
}

typedef float Vector512 __attribute__((vector_size(64)));
typedef float Vector256 __attribute__((vector_size(32)));
__attribute__((target("avx512f"), optimize("fp-contract=fast"))) void fma_loop_avx512() {
  fma_loop<Vector512>();
}
__attribute__((target("avx2,fma"), optimize("fp-contract=fast"))) void fma_loop_avx2() {
  fma_loop<Vector256>();
}
#endif

}  // namespace

double cpu_seconds(const std::function<void()>& work) {
  const double start = thread_cpu_clock();
  work();
  return thread_cpu_clock() - start;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double sgemm_rate(std::int64_t n) {
  openblas_set_num_threads(1);
  static std::vector<float> a, b, c;
  a.resize(static_cast<std::size_t>(n * n), 0.5F);
  b.resize(a.size(), 0.25F);
  c.resize(a.size());
  const int size = static_cast<int>(n);
  const double taken = cpu_seconds([&] {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, size, size, size, 1.0F, a.data(), size,
                b.data(), size, 0.0F, c.data(), size);
  });
  return static_cast<double>(n * n * n) / taken;
}

double copy_rate(const std::vector<float>& from, std::vector<float>& to) {
  const double taken = cpu_seconds([&] {
    std::memcpy(to.data(), from.data(), from.size() * sizeof(float));
    benchmark::DoNotOptimize(to.data());
  });
  return static_cast<double>(from.size()) / taken;
}

double fma_peak_rate(const char* simd_path) {
#if defined(__x86_64__)
  const std::string path = simd_path;
  if (path == "avx512") return 16.0 * kSums * kSteps / cpu_seconds(fma_loop_avx512);
  if (path == "avx2") return 8.0 * kSums * kSteps / cpu_seconds(fma_loop_avx2);
#endif
  (void)simd_path;
  return 0.0;
}

}  // namespace npusim::bench
