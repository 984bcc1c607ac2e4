// SPDX-License-Identifier: Apache-2.0
// The mac_array section of an NPU file, and the rules that tie its parts together.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/config_file.h"
#include "base/object_reader.h"
#include "npu_models/npu_spec.h"

namespace npusim::npu {

/// `unit_overrides`: of every MAC-unit file that the section names.
MacArraySpec read_mac_array(base::ObjectReader& object,
                            const std::vector<base::Override>& unit_overrides = {});

/// The accumulator section; latencies are stated for every format that may be chosen.
/// `of_units`: what the inputs' units sum in, the choices where the section names none.
AccumulatorSpec read_accumulator(base::ObjectReader& object,
                                 const std::vector<precision::Format>& of_units);

/// The reduction_order section: the organisation's order with the config's loops in place of its
/// own.
ReductionOrder read_reduction_order(base::ObjectReader& object, ReductionOrder order);

}  // namespace npusim::npu
