// SPDX-License-Identifier: Apache-2.0
#include "case.h"

#include <algorithm>

#include "precision/gemm.h"
#include "yardsticks.h"

namespace npusim::bench {
namespace {

constexpr std::int64_t kSgemmSize = 512;

double yardstick(const Case& timed, Against against) {
  switch (against) {
    case Against::sgemm:
      return sgemm_rate(kSgemmSize);
    case Against::fma_peak:
      return fma_peak_rate(precision::simd_path());
    case Against::copy:
    case Against::itself:
      return timed.baseline();
    case Against::nothing:
      break;
  }
  return 1e9;
}

}  // namespace

Sample measure(const Case& timed) {
  Sample sample;
  std::vector<double> yardsticks;
  for (const Goal& goal : timed.goals) {
    double fastest = 0.0;
    for (int i = 0; i < timed.tries; ++i)
      fastest = std::max(fastest, yardstick(timed, goal.against));
    yardsticks.push_back(fastest);
  }
  for (int i = 0; i < timed.tries; ++i)
    sample.rate = std::max(sample.rate, timed.work / timed.run());
  for (const double rate : yardsticks)
    sample.against.push_back(rate > 0.0 ? sample.rate / rate : 0.0);
  return sample;
}

}  // namespace npusim::bench
