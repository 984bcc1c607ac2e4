// SPDX-License-Identifier: Apache-2.0
// A unit and plan as a program of the general kernel.
#pragma once

#include <memory>

#include "precision/kernels/general_kernel.h"
#include "precision/reduction_plan.h"

namespace npusim::precision::kernels {

/// nullptr where only the scalar code will do: chains of std::fma, sums in fixed point, exact sums
/// of more terms than kMostExactTerms that binary64 does not hold, exponents near binary64's ends.
std::unique_ptr<GeneralProgram> general_program(const MacUnit& unit, const ReductionPlan& plan);

}  // namespace npusim::precision::kernels
