// SPDX-License-Identifier: Apache-2.0
// Registers what several devices do together (collectives.cpp).
#pragma once

#include "workloads/op.h"

namespace npusim::workloads {

void register_collectives(OpRegistry& registry);

}  // namespace npusim::workloads
