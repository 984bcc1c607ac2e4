// SPDX-License-Identifier: Apache-2.0
// Units whose operands are read in slices, passes, another order or without subnormals, as units
// that take plain operands: what the hardware does to operands on their way in is done to the rows
// instead, and K becomes the list of products in their final order.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "precision/gemm.h"

namespace npusim::precision::kernels {

struct Lowered {
  /// One product: a term of K in canonical order (-1: nothing), and which slices of it.
  struct Factor {
    std::int64_t k;
    int a_slice, b_slice;
  };
  MacUnit unit;
  ReductionPlan plan;
  std::vector<Factor> factors;
};

/// nullopt: there is nothing to do, or it cannot be done this way (block scales, slices of several
/// formats in units that align by operands).
std::optional<Lowered> lowered(const MacUnit& unit, const ReductionPlan& plan);

/// The rows of one operand as the lowered unit takes them. All arguments outlive this.
class LoweredRows final : public OperandRows {
 public:
  enum class Side { a, b };
  LoweredRows(const OperandRows& rows, const MacUnit& unit, const ReductionPlan& plan,
              const Lowered& to, Side side)
      : rows_(rows), unit_(unit), k_(plan.terms()), to_(to), side_(side) {}
  std::int64_t rows() const override { return rows_.rows(); }
  void read(std::int64_t row, double* values) const override;

 private:
  const OperandRows& rows_;
  const MacUnit& unit_;
  std::int64_t k_;
  const Lowered& to_;
  Side side_;
};

}  // namespace npusim::precision::kernels
