// SPDX-License-Identifier: Apache-2.0
// One tile for an array whose elements are clocked one by one and carry values.
#pragma once

#include <cstdint>
#include <string>

#include "npu_models/npu_spec.h"
#include "npu_models/organisation.h"
#include "precision/mac_unit.h"

namespace npusim::npu::pe {

/// Operands in the order of K, row-major; `sums` (m x n) is accumulator memory.
struct PeJob {
  TileShape shape;
  const precision::MacUnit* unit = nullptr;
  std::int64_t macs_per_pe = 1;     ///< streams, or outputs, that an element serves in one cycle
  std::int64_t latency_cycles = 1;  ///< of one accumulation
  const double* a = nullptr;        ///< m x k
  const double* b = nullptr;        ///< n x k
  double* sums = nullptr;
  bool resumes = false;  ///< `sums` holds what earlier tiles of K (or a bias) left there

  double a_at(std::int64_t m, std::int64_t k) const { return a[m * shape.k + k]; }
  double b_at(std::int64_t n, std::int64_t k) const { return b[n * shape.k + k]; }
  double& sum_at(std::int64_t m, std::int64_t n) const { return sums[m * shape.n + n]; }
};

/// Why elements cannot carry the values of this array and unit; empty: they can. They add term by
/// term (systolic) or block by block, products whole: no operand slices, block scales or stochastic
/// sums, and no sum over all of K in one step.
std::string why_not(const MacArraySpec& array, const precision::MacUnit& unit);

}  // namespace npusim::npu::pe
