// SPDX-License-Identifier: Apache-2.0
// The reduction plan that an array's structure gives one contraction, before tiles are chosen.
#pragma once

#include "npu_models/input_units.h"
#include "npu_models/mapping.h"
#include "npu_models/npu_spec.h"
#include "workloads/contraction.h"

namespace npusim::npu {

/// K order by the contraction's role, cuts of the organisation, entry of the bias. Loops over
/// dimensions that the contraction lacks are left out; dimensions without a loop follow innermost.
/// An order that comes out canonical is left empty, so that equal plans look equal.
precision::ReductionPlan array_plan(const MacArraySpec& array,
                                    const workloads::Contraction& contraction,
                                    const precision::Arithmetic& accumulator);

/// What tiles of tile_k ordered terms do to the plan: steps dealt to several partial sums of an
/// output, and sums of tiles that are added up in accumulator memory.
void cut_at_tiles(const MacArraySpec& array, std::int64_t tile_k,
                  const precision::Arithmetic& accumulator, precision::ReductionPlan& plan);

/// The plan and tiles of one contraction of operands of any kind. `n_side_first`: the product names
/// the n side first, so that side is operand a of the mapping's unit. `winograd`: the contraction
/// is that of a point; throws IllegalPin where no tile fits.
GemmMapping map_gemm(const NpuSpec& npu, const workloads::Contraction& contraction,
                     const OperandFormats& input, bool n_side_first,
                     const precision::Format& accumulator, std::int64_t output_bytes,
                     const MappingPin* pin, std::optional<WinogradForm> winograd = {});

}  // namespace npusim::npu
