// SPDX-License-Identifier: Apache-2.0
// What an NPU makes of one workload: each op's level, how much of the work stays on the NPU, and
// the verdict in a word. An op that no source says anything of leaves the verdict open.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "npu_models/mapping.h"

namespace npusim::sim {

struct Coverage {
  std::map<npu::Support, std::int64_t> counts;  ///< every level, zeros included
  std::vector<npu::CoverageRow> ops;
  npu::Support worst = npu::Support::native;
  std::int64_t macs = 0;
  std::int64_t macs_on_npu = 0;  ///< of native and decomposed ops
  /// Part of the array-cycles in which nothing waits for the host; only where it was simulated.
  std::optional<double> time_on_npu;
  std::int64_t hypothetical = 0;  ///< ops that run with stand-ins (npu_models/what_if.h)
  /// runs | runs with fallback | runs hypothetically | cannot run | cannot train | not known
  std::string verdict;
  std::vector<std::string> reasons;  ///< of the worst ops, each once, at most kMostReasons
};
inline constexpr std::size_t kMostReasons = 3;

/// dynamic: one for each node, true where a dimension changes from run to run; empty: nowhere.
Coverage cover(const npu::NpuSpec& npu, const workloads::Graph& graph,
               const workloads::Recipe& recipe, bool training,
               const std::vector<bool>& dynamic = {});

/// Nodes that read or write a tensor whose shape is another one in `other`: the same graph with
/// another value of a parameter.
std::vector<bool> nodes_that_change(const workloads::Graph& graph, const workloads::Graph& other);

/// A run that is refused although its ops are there (it does not fit the memory, say) cannot run.
void refuse(Coverage& coverage, const std::string& reason, bool training);

}  // namespace npusim::sim
