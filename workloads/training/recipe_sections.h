// SPDX-License-Identifier: Apache-2.0
// The sections of a recipe that only the training transform reads.
#pragma once

#include <optional>

#include "base/object_reader.h"
#include "workloads/recipe.h"
#include "workloads/training/autocast.h"
#include "workloads/training/block_operands.h"
#include "workloads/training/scaled_operands.h"

namespace npusim::workloads {

/// Keys `autocast` and `operand_scaling` of a recipe; mistakes go to the reader's diagnostics.
std::optional<Autocast> read_autocast(base::ObjectReader& recipe);
std::optional<OperandScaling> read_operand_scaling(base::ObjectReader& recipe);

/// Key `block_scaling` of a recipe.
std::optional<BlockScaling> read_block_scaling(base::ObjectReader& recipe);

/// Of a recipe that was loaded.
std::optional<Autocast> autocast_of(const Recipe& recipe);
std::optional<OperandScaling> operand_scaling_of(const Recipe& recipe);
std::optional<BlockScaling> block_scaling_of(const Recipe& recipe);

}  // namespace npusim::workloads
