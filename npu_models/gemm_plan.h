// SPDX-License-Identifier: Apache-2.0
// The reduction plan that an array's structure gives one contraction, before tiles are chosen.
#pragma once

#include "npu_models/npu_spec.h"
#include "workloads/contraction.h"

namespace npusim::npu {

/// K order by the contraction's role, cuts of the organisation, entry of the bias. Loops over
/// dimensions that the contraction lacks are left out; dimensions without a loop follow innermost.
/// An order that comes out canonical is left empty, so that equal plans look equal.
precision::ReductionPlan array_plan(const MacArraySpec& array,
                                    const workloads::Contraction& contraction,
                                    const precision::Arithmetic& accumulator);

}  // namespace npusim::npu
