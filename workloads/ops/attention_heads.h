// SPDX-License-Identifier: Apache-2.0
// What Attention and the ops that train it share: operands by head, and the forward pass head by
// head or, on an engine that takes blocks (online_softmax.h), block by block.
#pragma once

#include <vector>

#include "workloads/attention_shape.h"

namespace npusim::workloads {

std::vector<AttributeSpec> attention_attributes();
Shape attention_result(const AttentionShape& s);
std::int64_t attention_macs(const AttentionShape& s);
/// On a vector unit; an NPU with a MAC array decomposes the op or takes it in blocks.
std::vector<VectorWork> attention_work(const AttentionShape& s);

/// (batch, heads, sequence, depth), past first.
std::vector<double> by_head(const Tensor& x, const Tensor* past, bool packed, std::int64_t batch,
                            std::int64_t heads, std::int64_t depth);
/// The same back into a tensor without a past.
void from_heads(const std::vector<double>& values, bool packed, std::int64_t batch,
                std::int64_t heads, std::int64_t depth, Tensor& x);

/// Queries (batch, heads, rows, depth), keys and values (batch, kv_heads, columns, ...).
struct HeadOperands {
  HeadOperands(const Evaluation& evaluation, const AttentionShape& shape);
  std::vector<double> queries, keys, values;
};

/// Fills outputs[0]; `statistics` (may be nullptr): log(sum(exp(score))) of each row, (batch,
/// heads, rows).
void attend(Evaluation& evaluation, const AttentionShape& shape, const HeadOperands& operands,
            std::vector<double>* statistics);

}  // namespace npusim::workloads
