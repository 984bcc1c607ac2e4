// SPDX-License-Identifier: Apache-2.0
// The backward pass of attention as one op that computes its scores again
// (workloads/ops/blocked_attention_gradient.h has the arithmetic). What it needs beside what
// attention_mapping.h says of the forward pass:
//   - the gradient of the result in the operands' format, as it is multiplied with them;
//   - every key seen by some query; no cache;
//   - in one scratchpad buffer a block's queries, result, its gradient, statistics, keys, values,
//   its
//     part of the mask, weights and gradients of scores, and the running gradients of all three
//     (separate parts: queries, the result's gradient, weights and gradients of scores are operands
//     of both sides and count in both; the copy between them costs nothing);
//   - in half of accumulator memory an array's share of two blocks of scores and of the largest of
//     the three gradients.
// Blocks and shares are chosen by the estimate of attention_mapping.h over the steps of
// attention_gradient_steps.h. A split by rows cuts queries in three products and keys in two.
#pragma once

#include <string>

#include "npu_models/mapping.h"

namespace npusim::npu {

/// Why this AttentionGradient node cannot run; empty: it can.
std::string why_not_fused_gradient(const NpuSpec& npu, const workloads::Graph& graph,
                                   const workloads::Node& node,
                                   const std::vector<precision::Arithmetic>& storage,
                                   const workloads::Recipe& recipe);

/// Of a node that can. Throws IllegalPin where the pin cannot run.
AttentionGradientMapping map_attention_gradient(const NpuSpec& npu, const workloads::Graph& graph,
                                                const workloads::Node& node,
                                                const std::vector<precision::Arithmetic>& storage,
                                                const workloads::Recipe& recipe,
                                                const MappingPin* pin = nullptr);

/// As those of attention_mapping.h.
std::string choose_blocks(const NpuSpec& npu, const MappingPin& pin,
                          AttentionGradientMapping& gradient);
std::string why_not_in_blocks(const NpuSpec& npu, const AttentionGradientMapping& gradient);
std::int64_t estimated_cycles(const NpuSpec& npu, const AttentionGradientMapping& gradient);
void cut_in_blocks(const NpuSpec& npu, std::int64_t queries, std::int64_t keys,
                   const ArraySplit& split, AttentionGradientMapping& gradient);

}  // namespace npusim::npu
