// SPDX-License-Identifier: Apache-2.0
// Speed of the emulated GEMM, one core. As a Google Benchmark it measures; with --check it compares
// medians of five runs with the targets below and exits 1 when one is missed.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "precision/gemm.h"
#include "units.h"

namespace npusim::bench {
namespace {

using precision::MacUnit;

/// A layer-like size: rows of A, rows of B, terms.
constexpr std::int64_t kRows = 256, kColumns = 256, kTerms = 576;
constexpr double kMacs = 1.0 * kRows * kColumns * kTerms;

struct Target {
  const char* name;
  double gmac_per_s;  ///< on one core
  const char* from;
};
constexpr Target kTargets[] = {
    {"fp16_chain_fp16", 1.0,
     "FP16 accumulate, row kernel: the slowest that makes ResNet-50 usable"},
    {"fp16_chain_fp16_unfused", 1.0, "as above, product rounded first"},
    {"bf16_chain_bf16", 1.0, "as FP16"},
    {"bf16_chain_fp32", 1.0, "ResNet-50 (4.1 GMAC) on systolic128_bf16"},
    {"fp16_tree16_fp32", 1.0, "ResNet-50 on cube16_fp16"},
    {"fp16_tree16_fp16", 1.0, "ResNet-50 on cube16_fp16 with FP16 accumulators"},
    {"fp16_tree64_fp32", 1.0, "ResNet-50 on nvdla_fp16"},
    {"reference", 2.0, "the FP64 reference runs beside every one of them"},
};

/// Small multiples of 1/64: exact in every operand format, sums that need rounding.
std::vector<double> operand(std::int64_t count, std::uint64_t seed) {
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& value : values) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    value = (static_cast<double>(seed >> 57) - 63.5) / 64.0;
  }
  return values;
}

class Problem {
 public:
  Problem() : a_(operand(kRows * kTerms, 1)), b_(operand(kColumns * kTerms, 2)) {
    plan_.dims = {{"K", kTerms}};
  }
  void run(const MacUnit* unit) {
    const precision::MatrixRows a(a_.data(), kRows, kTerms, kTerms, 1);
    const precision::MatrixRows b(b_.data(), kColumns, kTerms, kTerms, 1);
    precision::MatrixOutput out(out_.data(), kColumns);
    if (unit != nullptr)
      precision::emulated_gemm(*unit, plan_, a, b, {}, out, precision::serial());
    else
      precision::reference_gemm(kTerms, a, b, {}, out, precision::serial());
    benchmark::DoNotOptimize(out_.data());
  }

 private:
  std::vector<double> a_, b_;
  std::vector<double> out_ = std::vector<double>(kRows * kColumns);
  precision::ReductionPlan plan_;
};

struct Timed {
  std::string name;
  std::vector<MacUnit> unit;  ///< empty: the FP64 reference
};

std::vector<Timed> everything_timed() {
  std::vector<Timed> all;
  for (const MacUnit& unit : timed_units()) all.push_back({unit.name, {unit}});
  all.push_back({"reference", {}});
  return all;
}

void measure(benchmark::State& state, const Timed& timed) {
  Problem problem;
  for (auto _ : state) problem.run(timed.unit.empty() ? nullptr : timed.unit.data());
  state.counters["MAC/s"] = benchmark::Counter(kMacs * static_cast<double>(state.iterations()),
                                               benchmark::Counter::kIsRate);
}

double median_gmac_per_s(const Timed& timed) {
  constexpr int kRuns = 5;
  Problem problem;
  std::vector<double> rates;
  for (int i = 0; i < kRuns; ++i) {
    const std::clock_t start = std::clock();  // CPU time: other work on the machine does not count
    problem.run(timed.unit.empty() ? nullptr : timed.unit.data());
    const double taken = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    rates.push_back(kMacs / taken * 1e-9);
  }
  std::sort(rates.begin(), rates.end());
  return rates[kRuns / 2];
}

int check() {
  int missed = 0;
  for (const Timed& timed : everything_timed()) {
    for (const Target& target : kTargets) {
      if (timed.name != target.name) continue;
      const double rate = median_gmac_per_s(timed);
      const bool reached = rate >= target.gmac_per_s;
      missed += reached ? 0 : 1;
      std::printf("%-7s %-26s %7.2f GMAC/s, wanted %.2f (%s)\n", reached ? "ok" : "MISSED",
                  target.name, rate, target.gmac_per_s, target.from);
    }
  }
  std::printf("simd path %s, %d missed\n", precision::simd_path(), missed);
  return missed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace npusim::bench

int main(int argc, char** argv) {
  using namespace npusim::bench;
  if (argc == 2 && std::strcmp(argv[1], "--check") == 0) return check();
  for (const Timed& timed : everything_timed())
    benchmark::RegisterBenchmark(timed.name.c_str(), [timed](benchmark::State& state) {
      measure(state, timed);
    })->Unit(benchmark::kMillisecond);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("simd_path", npusim::precision::simd_path());
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
