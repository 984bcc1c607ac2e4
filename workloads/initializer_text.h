// SPDX-License-Identifier: Apache-2.0
// An initializer given by itself, as a workload file has it: {"kind": "normal", "stddev": 2}.
#pragma once

#include <string>

#include "workloads/initializer.h"

namespace npusim::workloads {

/// Of floating values that are drawn: neither files nor lists of values. Throws base::InputError
/// with every mistake; `place` stands for the file.
Initializer initializer_of_text(const std::string& text, const std::string& place);

}  // namespace npusim::workloads
