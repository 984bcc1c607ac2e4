// SPDX-License-Identifier: Apache-2.0
// The ops of a training step that keeps attention whole.
#pragma once

#include "workloads/op.h"

namespace npusim::workloads {

void register_attention_training(OpRegistry& registry);

}  // namespace npusim::workloads
