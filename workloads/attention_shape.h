// SPDX-License-Identifier: Apache-2.0
// Extents of an Attention node, and how attention by online softmax cuts them into blocks
// (Milakov, Gimelshein 2018; FlashAttention: Dao et al. 2022). Mapping, timing and values take the
// cuts from here.
#pragma once

#include <cstdint>

#include "workloads/op.h"

namespace npusim::workloads {

/// What a training step has instead of Attention where an NPU takes its backward pass as one op.
inline constexpr const char* kAttentionWithStatistics = "AttentionWithStatistics";
inline constexpr const char* kAttentionGradient = "AttentionGradient";

struct AttentionShape {
  std::int64_t batch = 1, heads = 1, kv_heads = 1;
  std::int64_t rows = 1;     ///< queries of a head
  std::int64_t past = 0;     ///< keys before the first query's own
  std::int64_t columns = 1;  ///< keys, the past ones included
  std::int64_t depth = 1, value_depth = 1;
  bool packed = false;  ///< (batch, sequence, heads * depth): heads stand side by side
  bool causal = false;
  double scale = 1.0, softcap = 0.0;

  /// Query heads that share a key-value head are one group; their rows stand one head after the
  /// other.
  std::int64_t groups() const { return batch * kv_heads; }
  std::int64_t group_rows() const { return heads / kv_heads * rows; }
};

/// Throws base::InputError ("shape-mismatch") when the inputs do not fit each other.
AttentionShape attention_shape(const NodeView& view);

/// Blocks of `queries` rows of a group and `keys` columns; the last ones may be shorter. Blocks of
/// keys that a causal mask hides from every row of a block are left out.
struct AttentionBlocks {
  AttentionShape shape;
  std::int64_t queries = 1, keys = 1;

  std::int64_t query_blocks() const { return (shape.group_rows() - 1) / queries + 1; }
  std::int64_t key_blocks() const { return (shape.columns - 1) / keys + 1; }
  std::int64_t queries_in(std::int64_t query_block) const;
  std::int64_t keys_in(std::int64_t key_block) const;
  /// Blocks of keys, from the first on, that this block of queries goes through; the mask hides
  /// nothing in the first open_blocks() of them.
  std::int64_t blocks_for(std::int64_t query_block) const;
  std::int64_t open_blocks(std::int64_t query_block) const;
  /// Multiplications of both products in all groups, blocks left out not counted.
  std::int64_t macs() const;

 private:
  /// Keys that some row of the block sees, and that every row does.
  std::int64_t seen_by_some(std::int64_t query_block) const;
  std::int64_t seen_by_all(std::int64_t query_block) const;
};

}  // namespace npusim::workloads
