// SPDX-License-Identifier: Apache-2.0
// What the mapping chose for each matrix op: its extents, tiles, loop order and spills, the array
// cycles and DRAM bytes that the choice was made by (tiling.h; the simulation charges what ops
// really take, waits included), how many of these cycles are due to ports where a file states any,
// and where that puts the op under the NPU's roofline.
#pragma once

#include <string>
#include <vector>

#include "sim/run.h"

namespace npusim::sim {

/// One table a run that can be mapped; nothing is simulated.
std::vector<std::string> explain_mappings(const std::vector<RunRequest>& requests,
                                          const RunOptions& options);

/// `in_parts`: a line each below the table.
std::string mapping_table_of(const npu::NpuSpec& npu, const npu::MappedGraph& mapped,
                             const std::vector<npu::AttentionInParts>& in_parts);

}  // namespace npusim::sim
