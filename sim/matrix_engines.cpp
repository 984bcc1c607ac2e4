// SPDX-License-Identifier: Apache-2.0
#include "sim/matrix_engines.h"

#include <vector>

#include "precision/rounding.h"

namespace npusim::sim {
namespace {

/// Elements times their scales, in FP32.
class ScaledValues final : public precision::OperandRows {
 public:
  ScaledValues(const precision::OperandRows& rows, std::int64_t k) : rows_(rows), k_(k) {}
  std::int64_t rows() const override { return rows_.rows(); }
  void read(std::int64_t row, double* k_values) const override {
    rows_.read(row, k_values);
    if (!rows_.has_scales()) return;
    std::vector<double> scales(static_cast<std::size_t>(k_));
    rows_.read_scales(row, scales.data());
    for (std::int64_t i = 0; i < k_; ++i)
      k_values[i] = precision::round_to(k_values[i] * scales[static_cast<std::size_t>(i)],
                                        precision::fp32(), precision::Rounding::rne);
  }

 private:
  const precision::OperandRows& rows_;
  std::int64_t k_;
};

}  // namespace

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
  if (!a.has_scales() && !b.has_scales())
    return precision::emulated_gemm(unit_, plan, a, b, bias, out, parallel_);
  const ScaledValues of_a(a, k), of_b(b, k);
  precision::emulated_gemm(unit_, plan, of_a, of_b, bias, out, parallel_);
}

}  // namespace npusim::sim
