// SPDX-License-Identifier: Apache-2.0
// The organisations of this build, one function and one .cpp each; npu_models/organisation.cpp
// lists them. Adding one is a file here, a line there and a line in CMakeLists.txt.
#pragma once

#include <string>
#include <vector>

#include "npu_models/ceil_div.h"
#include "npu_models/organisation.h"

namespace npusim::npu {

const Organisation& systolic();
const Organisation& cube();
const Organisation& dot_product();
const Organisation& tensor_core();
const Organisation& simd();

/// A tile on a weight-stationary array; on an input-stationary one with m and n exchanged.
TileCycles stationary_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                             std::int64_t latency_cycles, const TileShape& tile);
TileCycles output_stationary_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                                    std::int64_t latency_cycles, const TileShape& tile);

/// Accesses of `groups` groups of sums in `passes` passes over K, with so many partial sums each.
std::int64_t accesses_of(std::int64_t groups, std::int64_t passes, std::int64_t partial_sums,
                         bool resumes);

/// Cycles from operands to a result in accumulator memory, of a block that reduces `depth` terms:
/// one for the multipliers, one for each level of the adder tree, and the accumulator's addition.
std::int64_t block_pipeline_cycles(std::int64_t depth, std::int64_t latency_cycles);

/// Channel blocks outermost, then the taps, then the channels of a block (fprop over C, dgrad over
/// K); other roles canonical. What is short of a block is padded.
ReductionOrder channel_block_order(std::int64_t block);

base::Diagnostic array_mistake(std::string pointer, std::string message, std::string allowed);

}  // namespace npusim::npu
