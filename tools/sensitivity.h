// SPDX-License-Identifier: Apache-2.0
// The sensitivity command and its options.
#pragma once

#include <string>

#include "sim/training/sensitivity.h"
#include "tools/options.h"

namespace npusim::tools {

struct SensitivityArguments : TrainArguments {
  sim::SensitivityOptions search;
  std::string part = "layer";  ///< layer, op or role
  std::string recipe;          ///< file for the assignment that was found
};

int sensitivity(const SensitivityArguments& arguments);

}  // namespace npusim::tools
