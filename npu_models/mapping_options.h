// SPDX-License-Identifier: Apache-2.0
// What a file says about how ops are mapped: how hard to search, and mappings that it fixes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "npu_models/array_split.h"
#include "npu_models/winograd_form.h"

namespace npusim::npu {

/// Which operand stays while the loops run. Groups are the outermost loop, then n.
enum class LoopOrder {
  output_resident,  ///< g, n, m, k: partial sums stay in accumulator memory until they are done
  weight_resident,  ///< g, n, k, m: each weight tile is loaded once; sums spill between k tiles
};
const char* name_of(LoopOrder order);

enum class MappingSearch {
  quick,       ///< a few balanced splits and the most promising shares of the arrays
  exhaustive,  ///< every number of tiles and every share of the arrays
};
const char* name_of(MappingSearch search);

/// Attention as one op by online softmax (attention_mapping.h), or as its parts.
struct AttentionPin {
  bool fused = true;
  std::optional<bool> backward;               ///< in a training step, with its backward pass
  std::optional<std::int64_t> queries, keys;  ///< of a block
};

/// Fixes (parts of) the mapping of ops; what it leaves open is searched. A tile longer than the op
/// is the whole op.
struct MappingPin {
  std::string op;  ///< name of the node; * stands for any characters
  std::optional<std::int64_t> tile_m, tile_n, tile_k;
  std::optional<LoopOrder> loop_order;
  std::optional<ArraySplit> split;
  std::optional<AttentionPin> attention;
  /// Side of the output tile of a convolution by Winograd; 0: direct.
  std::optional<std::int64_t> winograd;
  base::Diagnostic place;  ///< where it stands

  /// Says something of tiles, split or order.
  bool fixes_tiles() const { return tile_m || tile_n || tile_k || loop_order || split; }
};

struct MappingOptions {
  MappingSearch search = MappingSearch::quick;
  bool fused_attention = false;           ///< where an op's pin does not say
  bool fused_attention_backward = false;  ///< the same of a training step
  WinogradOptions winograd;               ///< what the search tries; pins may name others
  std::vector<MappingPin> pins;           ///< the first that fits an op counts
};

/// nullptr when no pin names the op.
const MappingPin* find_pin(const MappingOptions& options, const std::string& op);

bool wants_fused_attention(const MappingOptions& options, const std::string& op);
/// In a training step, whose backward pass is then one op too.
bool wants_fused_backward(const MappingOptions& options, const std::string& op);
bool asks_for_fused_backward(const MappingOptions& options);  ///< of any op

}  // namespace npusim::npu
