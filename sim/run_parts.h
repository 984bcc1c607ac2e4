// SPDX-License-Identifier: Apache-2.0
// Steps of a run that tests and other commands use on their own.
#pragma once

#include "npu_models/npu_spec.h"
#include "sim/run.h"

namespace npusim::sim {

/// Figures that follow from cycles, clock and batch. utilization = macs / (cycles * peak MACs a
/// cycle).
Timing derive_timing(npu::TimingResult result, const npu::NpuSpec& npu, std::int64_t batch);

/// The overrides whose path starts with this kind word.
std::vector<base::Override> overrides_of(const std::vector<base::ParsedOverride>& all,
                                         const std::string& kind);

}  // namespace npusim::sim
