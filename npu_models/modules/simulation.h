// SPDX-License-Identifier: Apache-2.0
// One SystemC simulation from elaboration to the end. Kernel reports never reach stdout or stderr:
// warnings and worse become InternalError.
#pragma once

#include <functional>

#include "npu_models/modules/ledger.h"
#include "npu_models/modules/npu_top.h"

namespace npusim::npu::model {

/// Runs the graph on an NPU whose memory `attach` binds; returns the last cycle. Once a process.
std::int64_t run_simulation(const NpuSpec& npu, const MappedGraph& mapped, Ledger& ledger,
                            const std::function<void(NpuTop&)>& attach);

}  // namespace npusim::npu::model
