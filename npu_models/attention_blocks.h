// SPDX-License-Identifier: Apache-2.0
// What mapping attention in blocks needs forward and backward: one product of a block, and what
// stands in the way of it.
#pragma once

#include <string>
#include <vector>

#include "npu_models/attention_steps.h"
#include "npu_models/mapping.h"

namespace npusim::npu {

workloads::Contraction attention_product(std::int64_t groups, std::int64_t m, std::int64_t n,
                                         std::int64_t k);
AttentionMask attention_mask(const workloads::NodeView& view,
                             const std::vector<precision::Arithmetic>& storage);

/// Of a product that takes so many terms of K at a time.
precision::ReductionPlan block_plan(const NpuSpec& npu, const GemmMapping& product,
                                    std::int64_t terms);
/// Makes a block of m x n results of k terms the product's tile.
void set_block(const NpuSpec& npu, std::int64_t m, std::int64_t n, std::int64_t k,
               const ArraySplit& split, GemmMapping& product);

/// With all that a block may have to do.
template <class Mapping>
AttentionBlock largest_block(const Mapping& attention) {
  const workloads::AttentionBlocks& blocks = attention.blocks;
  return {attention.scores.split.groups, blocks.queries, blocks.keys, true, true};
}

/// Accumulator memory that the largest share of a block's product takes.
std::int64_t share_bytes(const GemmMapping& gemm, const TileExtents& tile);

/// Why arrays cannot share a block of so many rows so; empty: they can.
std::string why_not_split(const NpuSpec& npu, const ArraySplit& split, std::int64_t groups,
                          std::int64_t rows);
/// `what` an array keeps of a block: more than half of accumulator memory? Empty: no.
std::string why_not_in_accumulators(const NpuSpec& npu, const std::string& what,
                                    std::int64_t bytes);
/// Of a block in a scratchpad that all operands share.
std::string why_not_in_buffer(const ScratchpadSpec& scratchpad, std::int64_t bytes);

/// The estimate of attention_mapping.h. `edges`: bytes of the first operands and the last results;
/// `softening`: cycles of one block.
std::int64_t block_estimate(const NpuSpec& npu, const AttentionTotals& totals, std::int64_t edges,
                            std::int64_t softening);

/// These inputs and the first are operands of one format that holds weights; empty: they are.
std::string why_operands_differ(const workloads::NodeView& view, const std::vector<int>& inputs,
                                const std::vector<precision::Arithmetic>& storage);
/// First function of the work that the vector unit lacks; empty: none.
std::string missing_function(const VectorUnitSpec& unit,
                             const std::vector<std::vector<workloads::VectorWork>>& work);

}  // namespace npusim::npu
