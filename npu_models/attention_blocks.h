// SPDX-License-Identifier: Apache-2.0
// What mapping attention in blocks needs forward and backward: one product of a block, and what
// stands in the way of it.
#pragma once

#include <string>
#include <vector>

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

/// These inputs and the first are operands of one format that holds weights; empty: they are.
std::string why_operands_differ(const workloads::NodeView& view, const std::vector<int>& inputs,
                                const std::vector<precision::Arithmetic>& storage);
/// First function of the work that the vector unit lacks; empty: none.
std::string missing_function(const VectorUnitSpec& unit,
                             const std::vector<std::vector<workloads::VectorWork>>& work);

}  // namespace npusim::npu
