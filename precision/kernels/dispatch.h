// SPDX-License-Identifier: Apache-2.0
// Which compiled copy of the kernels runs, and the translation of units and plans for them.
#pragma once

#include <optional>

#include "precision/kernels/lane_kernel.h"
#include "precision/mac_unit.h"
#include "precision/reduction_plan.h"

namespace npusim::precision::kernels {

/// The widest set this CPU runs, or the one NPUSIM_SIMD (baseline | avx2 | avx512) asks for when
/// the CPU has it. Read on every call: tests change the variable.
KernelSet chosen_kernels();
const char* chosen_name();

LaneArithmetic lane_arithmetic(const Arithmetic& arithmetic, bool in_float);

/// The program for the lane kernels; nullopt when the unit or plan goes beyond their limits (then
/// the scalar code runs).
std::optional<LaneProgram> lane_program(const MacUnit& unit, const ReductionPlan& plan,
                                        bool in_float);

/// True when every rounding of unit and plan, and products of operands between 2^-60 and 2^60
/// (always, for formats as narrow as fp16), are exact enough in float lanes.
bool fits_float(const MacUnit& unit, const ReductionPlan& plan);

}  // namespace npusim::precision::kernels
