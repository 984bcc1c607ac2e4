// SPDX-License-Identifier: Apache-2.0
// What one emulated product computes, as its drivers share it.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "precision/gemm.h"
#include "precision/kernels/packing.h"

namespace npusim::precision::kernels {

struct Problem {
  const MacUnit& unit;
  const ReductionPlan& plan;
  const OperandRows& a;
  const OperandRows& b;
  const Bias& bias;  ///< rounded on entry already
  RandomKey key;
  const std::vector<std::int64_t>& order;  ///< expand_order; drivers may fill it to whole blocks

  std::int64_t k() const { return plan.terms(); }
  std::int64_t terms() const { return static_cast<std::int64_t>(order.size()); }
  bool has_bias() const { return bias.axis != Bias::Axis::none; }
  double bias_at(std::int64_t row, std::int64_t column) const {
    return bias.values[bias.axis == Bias::Axis::by_row ? row : column];
  }
  /// Of the output at a place of this problem; exchanged: its rows are the caller's columns.
  RandomKey output_key(std::int64_t row, std::int64_t column, bool exchanged) const {
    const std::int64_t index = exchanged ? column * a.rows() + row : row * b.rows() + column;
    return derived_key(key, static_cast<std::uint64_t>(index));
  }
};

/// The unit with its operands changing places, and what else that turns round.
inline MacUnit exchanged(MacUnit unit) {
  std::swap(unit.a, unit.b);
  std::swap(unit.flush_a, unit.flush_b);
  std::swap(unit.slices_a, unit.slices_b);
  for (auto& pass : unit.passes.order) std::swap(pass.first, pass.second);
  return unit;
}
inline Bias exchanged(Bias bias) {
  if (bias.axis == Bias::Axis::by_row) return {Bias::Axis::by_column, bias.values};
  if (bias.axis == Bias::Axis::by_column) return {Bias::Axis::by_row, bias.values};
  return bias;
}

}  // namespace npusim::precision::kernels
