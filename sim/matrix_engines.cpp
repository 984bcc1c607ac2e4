// SPDX-License-Identifier: Apache-2.0
#include "sim/matrix_engines.h"

namespace npusim::sim {

HostEngine::HostEngine(const precision::ParallelFor& parallel) : parallel_(parallel) {
  unit_.name = "host_fp32";
  unit_.a = unit_.b = precision::fp32();
  unit_.stages = {{0, precision::Combine::chain, {precision::fp32(), precision::Rounding::rne}}};
}

void HostEngine::multiply(std::int64_t k, const precision::OperandRows& a,
                          const precision::OperandRows& b, const precision::Bias& bias,
                          precision::GemmOutput& out) const {
  precision::ReductionPlan plan;
  plan.dims = {{"K", k}};
  precision::emulated_gemm(unit_, plan, a, b, bias, out, parallel_);
}

}  // namespace npusim::sim
