// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "workloads/op.h"

namespace npusim::workloads {

/// AmaxScale, DelayedScale and QuantizeByScale, of training/scaled_operands.h.
void register_scales(OpRegistry& registry);

}  // namespace npusim::workloads
