// SPDX-License-Identifier: Apache-2.0
// Stages of a MAC unit as NPU and MAC-unit files describe them.
#pragma once

#include <vector>

#include "base/object_reader.h"
#include "precision/mac_unit.h"

namespace npusim::npu {

/// Key `inner_stages`, which may be absent. A stage whose format is "accumulator" has an empty
/// format name: it rounds as the accumulator does, whichever that is.
std::vector<precision::Stage> read_inner_stages(base::ObjectReader& object);

/// Keys `combine` (chain), `step` and `alignment` of an accumulator: all of its stage but the
/// arithmetic.
precision::Stage read_accumulator_stage(base::ObjectReader& object);

/// The stages with the accumulator's arithmetic where they ask for it, and the accumulator behind
/// them.
std::vector<precision::Stage> complete_stages(std::vector<precision::Stage> inner,
                                              const precision::Stage& accumulator);

/// Key `passes`, which may be absent: products of operand slices.
void read_passes(base::ObjectReader& object, precision::Slices& slices_a,
                 precision::Slices& slices_b, precision::Passes& passes);

}  // namespace npusim::npu
