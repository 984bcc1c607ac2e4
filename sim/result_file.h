// SPDX-License-Identifier: Apache-2.0
// A result document that an earlier run wrote.
#pragma once

#include <string>

#include "base/json_value.h"

namespace npusim::sim {

/// Throws base::InputError with every mistake: not a result, of a newer schema than this build
/// writes, or runs without what identifies them (npu, workload, mode, recipe, status).
base::JsonValue load_result(const std::string& path);

/// The same, or what `npusim train --json` wrote.
base::JsonValue load_for_report(const std::string& path);

}  // namespace npusim::sim
