// SPDX-License-Identifier: Apache-2.0
// The MAC unit behind each operand format: described once for the array (product, inner_stages,
// accumulator), or named for an input as unit files, one for each accumulator format it offers.
#pragma once

#include <vector>

#include "npu_models/npu_spec.h"

namespace npusim::npu {

/// nullptr when the array does not take the format.
const InputMode* find_input(const MacArraySpec& array, const precision::Format& input);

/// Accumulator formats that an operand format can be summed in.
std::vector<precision::Format> accumulators_of(const MacArraySpec& array, const InputMode& mode);

/// The one used where a recipe names none: the array's default, or the input's first unit.
precision::Format default_accumulator(const MacArraySpec& array, const precision::Format& input);

/// The array with the arithmetic that it has for one input and accumulator. A systolic column whose
/// unit reduces all its rows before it accumulates makes no cuts of its own: the unit has them.
MacArraySpec array_as(const MacArraySpec& array, const precision::Format& input,
                      const precision::Format& accumulator);

}  // namespace npusim::npu
