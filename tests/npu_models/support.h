// SPDX-License-Identifier: Apache-2.0
// Shipped files, edited copies of them, and what is wrong with those.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "npu_models/npu_spec.h"
#include "workloads/recipe.h"

namespace npusim::npu::testing {

std::string shipped_npu(const std::string& name);       ///< path
std::string shipped_mac_unit(const std::string& name);  ///< path
NpuSpec load_shipped(const std::string& name);
/// With overrides as on the command line: "mac_array.rows=32".
NpuSpec load_shipped(const std::string& name, const std::vector<std::string>& settings);

/// A copy of the file with pieces of its text replaced (each must be there); returns its path.
std::string edited_copy(const std::string& path,
                        const std::vector<std::pair<std::string, std::string>>& edits);

/// Mistakes that loading the NPU (or MAC unit) file reports; empty when it loads.
std::vector<base::Diagnostic> mistakes_of_npu(const std::string& path);
std::vector<base::Diagnostic> mistakes_of_unit(const std::string& path);

/// Every tensor in one format, FP32 inside vector ops.
workloads::Recipe uniform_recipe(const precision::Format& format);

}  // namespace npusim::npu::testing
