// SPDX-License-Identifier: Apache-2.0
// Attention as one op by online softmax: scores never leave the chip. What it needs:
//   - every part of the op's decomposition native, so that formats, accumulator, functions and
//     internal precision are judged as for the parts;
//   - operands of one floating format without block scales; no cache as a second output;
//   - a block's queries, keys, values, weights, its part of the mask and the running output in one
//     scratchpad buffer (separate parts: queries and weights as streamed, keys, values and mask as
//     stationary operands, the output as results); an array's share of its scores and of its
//     context in half of accumulator memory.
// K of the first product is the depth of a head; K of the second one block of keys, whose sums the
// vector unit adds to the rescaled output. So the size of a block of keys is in the bits.
//
// Chosen: blocks of queries and keys and the arrays' shares (groups and rows; neither keys nor
// depth), by the least estimate
//   max(array cycles, cycles of the vector unit, DRAM bytes / bandwidth,
//       (steps * DRAM latency + load cycles + array cycles) / buffers)
//   + (first operands in + last results out) / bandwidth / 2 + softening of one block
//   + DRAM bytes / bandwidth / 4,
// array and vector unit one after the other where the scratchpad has one buffer; then the largest
// blocks. Ports of the scratchpad are left to the simulation.
#pragma once

#include <string>

#include "npu_models/mapping.h"

namespace npusim::npu {

/// Why this Attention node cannot run as one op (its parts can); empty: it can.
std::string why_not_fused(const NpuSpec& npu, const workloads::Graph& graph,
                          const workloads::Node& node,
                          const std::vector<precision::Arithmetic>& storage,
                          const workloads::Recipe& recipe);

/// Of a node that can. Throws IllegalPin where the pin cannot run.
AttentionMapping map_attention(const NpuSpec& npu, const workloads::Graph& graph,
                               const workloads::Node& node,
                               const std::vector<precision::Arithmetic>& storage,
                               const workloads::Recipe& recipe, const MappingPin* pin = nullptr);

/// Blocks and split of a mapping whose other parts are set; attention_search.cpp. Returns why no
/// mapping with the pin can run; empty: `attention` has one.
std::string choose_blocks(const NpuSpec& npu, const MappingPin& pin, AttentionMapping& attention);

/// What is too large, or does not go together; empty: these blocks can run.
std::string why_not_in_blocks(const NpuSpec& npu, const AttentionMapping& attention);
std::int64_t estimated_cycles(const NpuSpec& npu, const AttentionMapping& attention);

/// Sets blocks and split, and with them tiles and plans.
void cut_in_blocks(const NpuSpec& npu, std::int64_t queries, std::int64_t keys,
                   const ArraySplit& split, AttentionMapping& attention);

}  // namespace npusim::npu
