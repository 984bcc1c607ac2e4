// SPDX-License-Identifier: Apache-2.0
// A whole product through the general kernel.
#pragma once

#include "precision/kernels/gemm_problem.h"
#include "precision/kernels/general_kernel.h"

namespace npusim::precision::kernels {

/// `out.exchanged`: problem.a is the caller's B and the other way round.
void general_gemm(const Problem& problem, const GeneralProgram& program, const TileOutput& out,
                  const ParallelFor& parallel);

}  // namespace npusim::precision::kernels
