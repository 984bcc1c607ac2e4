// SPDX-License-Identifier: Apache-2.0
// What an NPU can do: its operator table, and the verdict on one node in one recipe's formats.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "precision/rounding.h"
#include "workloads/graph.h"
#include "workloads/recipe.h"

namespace npusim::npu {

struct NpuSpec;

/// From best to worst; unknown (no source says) counts as a gap like unsupported.
enum class Support { native, decomposed, host, unknown, unsupported };
const char* name_of(Support support);
const std::vector<std::string>& support_names();

struct OperatorEntry {
  Support support = Support::unsupported;
  /// Storage formats it works on natively; empty: any the recipe asks for.
  std::vector<std::string> formats;
  Support otherwise = Support::unsupported;  ///< for other formats: host, unknown or unsupported
  std::string reason;                        ///< shown with every verdict that is not native
};

struct OperatorTable {
  Support fallback = Support::unsupported;  ///< for ops that are not listed
  std::map<std::string, OperatorEntry> entries;
};

struct Verdict {
  Support support = Support::unsupported;
  std::string reason;  ///< empty when native
};

/// Checks, in this order: the operator table, the formats of the node's floating operands and
/// results (matrix ops: operand formats against the array's inputs, the recipe's accumulator
/// against the choices; statistics, as per-channel constants, in any format), the vector functions
/// it needs, whether a decomposition exists and all its ops are native.
Verdict judge(const NpuSpec& npu, const workloads::Graph& graph, const workloads::Node& node,
              const std::vector<precision::Arithmetic>& storage, const workloads::Recipe& recipe);

}  // namespace npusim::npu
