// SPDX-License-Identifier: Apache-2.0
// Which compiled copy of the kernels runs, and what of units and plans the lanes can hold.
#pragma once

#include <optional>

#include "precision/kernels/general_kernel.h"
#include "precision/mac_unit.h"
#include "precision/reduction_plan.h"

namespace npusim::precision::kernels {

/// The widest set this CPU runs, or the one NPUSIM_SIMD (baseline | avx2 | avx512) asks for when
/// the CPU has it. Read on every call: tests change the variable.
KernelSet chosen_kernels();
const char* chosen_name();

/// The rounding in double lanes; nullopt when they cannot do it.
std::optional<LaneArithmetic> double_arithmetic(const Arithmetic& arithmetic);

/// Likewise, stochastic roundings included.
std::optional<GeneralArithmetic> general_arithmetic(const Arithmetic& arithmetic);

/// Likewise in float lanes, stochastic roundings included.
std::optional<LaneArithmetic> float_arithmetic(const Arithmetic& arithmetic);

/// A unit and plan in lanes of one type; nullopt where only the scalar code will do.
struct LaneFit {
  LaneProgram program;
  bool needs_range;  ///< only where all products are exact in the lane type: see products_fit_float
  bool native;       ///< the lane type's own arithmetic throughout: any NaN will do as operand
};
std::optional<LaneFit> fit_float(const MacUnit& unit, const ReductionPlan& plan,
                                 const KernelSet& set);
std::optional<LaneFit> fit_double(const MacUnit& unit, const ReductionPlan& plan,
                                  const KernelSet& set);

/// Blocks of so many products, and whether their sums need more than 32 bits.
void set_step(LaneAlignment& alignment, std::int64_t step);

}  // namespace npusim::precision::kernels
