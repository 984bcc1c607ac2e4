// SPDX-License-Identifier: Apache-2.0
// From what a simulation recorded to a TimingResult: names, stall causes, energy and bounds.
// Energy of an op: MACs by the unit's mac_pj, vector work by VectorCost's rule, bytes by memory
// (padding of DMA bursts too),
// and the share of the static energy that its array-cycles (busy and waiting) have in the run. MACs
// and functions computed on the host cost the NPU nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "npu_models/modules/ledger.h"
#include "npu_models/timing.h"

namespace npusim::npu {

TimingResult assemble_timing(const NpuSpec& npu, const MappedGraph& mapped,
                             const std::vector<model::OpRecord>& records, std::int64_t cycles);

}  // namespace npusim::npu
