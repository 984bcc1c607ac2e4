// SPDX-License-Identifier: Apache-2.0
// Speed of the kernels of precision/ on one core, each beside its yardstick on the same machine,
// and of whole numeric runs on two. As
// a Google Benchmark it measures (the ratios are counters); with --check it takes the medians of
// five runs, compares them with the goals, and exits 1 when one is missed; --check-systems does so
// for mapping and timing only (system_cases.h).
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "case.h"
#include "precision/gemm.h"
#include "system_cases.h"
#include "yardsticks.h"

namespace npusim::bench {
namespace {

std::vector<Case> every_case() {
  std::vector<Case> all = gemm_cases();
  for (Case& timed : shipped_unit_cases()) all.push_back(std::move(timed));
  for (Case& timed : rounding_cases()) all.push_back(std::move(timed));
  for (Case& timed : network_cases()) all.push_back(std::move(timed));
  for (Case& timed : training_cases()) all.push_back(std::move(timed));
  return all;
}

const char* name_of(Against against) {
  switch (against) {
    case Against::sgemm:
      return "x sgemm";
    case Against::fma_peak:
      return "x FMA peak";
    case Against::copy:
      return "x memcpy";
    case Against::itself:
      return "x one thread";
    case Against::nothing:
      break;
  }
  return "G/s";
}

/// What this machine's vectors are to reach; 0: nothing is promised (no AVX2).
double least_of(const Goal& goal) {
  const std::string path = precision::simd_path();
  if (path == "avx512" || (path == "avx2" && goal.any_width)) return goal.least;
  return path == "avx2" ? goal.least / 3 : 0.0;
}

Sample medians(const Case& timed, int runs) {
  std::vector<double> rates;
  std::vector<std::vector<double>> ratios(timed.goals.size());
  measure(timed);  // warms caches up
  for (int i = 0; i < runs; ++i) {
    const Sample sample = measure(timed);
    rates.push_back(sample.rate);
    for (std::size_t g = 0; g < ratios.size(); ++g) ratios[g].push_back(sample.against[g]);
  }
  Sample result{median(rates), {}};
  for (std::vector<double>& values : ratios) result.against.push_back(median(std::move(values)));
  return result;
}

void benchmark_case(benchmark::State& state, const Case& timed) {
  double seconds = 0.0;
  std::vector<double> sums(timed.goals.size(), 0.0);
  for (auto _ : state) {
    const Sample sample = measure(timed);
    state.SetIterationTime(timed.work / sample.rate);
    seconds += timed.work / sample.rate;
    for (std::size_t g = 0; g < sums.size(); ++g) sums[g] += sample.against[g];
  }
  const auto runs = static_cast<double>(state.iterations());
  state.counters[timed.unit] = timed.work * runs / seconds * 1e-9;
  for (std::size_t g = 0; g < sums.size(); ++g)
    state.counters[name_of(timed.goals[g].against)] = sums[g] / runs;
}

/// Data must not matter: the slowest of a unit's data sets against its fastest.
int check_spread(const std::map<std::string, std::vector<double>>& rates) {
  constexpr double kLeast = 0.8;
  int missed = 0;
  for (const auto& [unit, all] : rates) {
    if (all.size() < 2) continue;
    const auto [slowest, fastest] = std::minmax_element(all.begin(), all.end());
    const bool reached = *slowest >= kLeast * *fastest;
    missed += reached ? 0 : 1;
    std::printf("%-7s %-36s %8.2f of the fastest data set, wanted %.2f\n",
                reached ? "ok" : "MISSED", unit.c_str(), *slowest / *fastest, kLeast);
  }
  return missed;
}

int check() {
  constexpr int kRuns = 5;
  int missed = check_systems();  // first: it forks, which wants a process without threads
  std::map<std::string, std::vector<double>> rates;
  for (const Case& timed : every_case()) {
    const Sample sample = medians(timed, kRuns);
    const std::size_t slash = timed.name.find('/');
    if (slash != std::string::npos && timed.name.find("threads") == std::string::npos)
      rates[timed.name.substr(0, slash)].push_back(sample.rate);
    for (std::size_t g = 0; g < timed.goals.size(); ++g) {
      const double least = least_of(timed.goals[g]);
      const bool reached = sample.against[g] >= least;
      missed += reached ? 0 : 1;
      std::printf("%-7s %-36s %8.2f %-9s %7.3f %s, wanted %.3f\n", reached ? "ok" : "MISSED",
                  timed.name.c_str(), sample.rate * 1e-9, timed.unit.c_str(), sample.against[g],
                  name_of(timed.goals[g].against), least);
    }
    std::fflush(stdout);
  }
  missed += check_spread(rates);
  std::printf("simd path %s, medians of %d, %d missed\n", precision::simd_path(), kRuns, missed);
  return missed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace npusim::bench

int main(int argc, char** argv) {
  using namespace npusim::bench;
  if (argc == 2 && std::strcmp(argv[1], "--check") == 0) return check();
  if (argc == 2 && std::strcmp(argv[1], "--check-systems") == 0) return check_systems() > 0 ? 1 : 0;
  const std::vector<Case> cases = every_case();
  for (const Case& timed : cases)
    benchmark::RegisterBenchmark(
        timed.name.c_str(), [&timed](benchmark::State& state) { benchmark_case(state, timed); })
        ->Unit(benchmark::kMillisecond)
        ->UseManualTime()
        ->MinTime(0.05);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("simd_path", npusim::precision::simd_path());
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
