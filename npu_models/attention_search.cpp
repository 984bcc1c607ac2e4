// SPDX-License-Identifier: Apache-2.0
// Choice of the blocks of attention, forward and backward; attention_mapping.h and
// attention_gradient.h state the estimate and the limits.
#include <algorithm>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>

#include "npu_models/attention_blocks.h"
#include "npu_models/attention_gradient.h"
#include "npu_models/attention_mapping.h"
#include "npu_models/attention_steps.h"
#include "npu_models/ceil_div.h"
#include "npu_models/gemm_split.h"
#include "npu_models/modules/vector_cost.h"
#include "npu_models/scratchpad_room.h"
#include "npu_models/tile_sizes.h"

namespace npusim::npu {
namespace {

/// Quick search: sizes of blocks of queries tried for one size of keys, from the largest that fits.
constexpr int kFinerBlocks = 5;

std::int64_t operand_bytes(const AttentionMapping& attention, const AttentionBlock& block) {
  return query_bytes(attention, block) + key_bytes(attention, block) +
         value_bytes(attention, block) + mask_bytes(attention, block);
}

/// Rows of a block that a split cuts: of the backward pass keys too.
std::int64_t rows_to_split(const AttentionMapping& attention) {
  return attention.blocks.shape.group_rows();
}
std::int64_t rows_to_split(const AttentionGradientMapping& gradient) {
  return std::min(gradient.blocks.shape.group_rows(), gradient.blocks.shape.columns);
}

template <class Mapping>
class BlockSearch {
 public:
  BlockSearch(const NpuSpec& npu, const MappingPin& pin, Mapping& attention)
      : npu_(npu),
        pin_(pin),
        exhaustive_(npu.mapping.search == MappingSearch::exhaustive),
        attention_(attention),
        granule_(granule_of(npu.mac_array, attention.scores.unit)) {}

  std::string run() {
    for (const ArraySplit& split : splits()) try_split(split);
    if (!best_) return reason_.empty() ? "no block fits the buffers" : reason_;
    cut_in_blocks(npu_, best_->queries, best_->keys, best_->split, attention_);
    return {};
  }

 private:
  /// Estimated cycles, then what makes larger blocks win.
  using Cost = std::tuple<std::int64_t, std::int64_t, std::int64_t>;
  struct Best {
    Cost cost;
    std::int64_t queries, keys;
    ArraySplit split;
  };

  const workloads::AttentionShape& shape() const { return attention_.blocks.shape; }

  /// Groups first; what arrays are left share rows.
  std::vector<ArraySplit> splits() const {
    if (pin_.split) return {*pin_.split};
    const std::int64_t arrays = npu_.mac_array.arrays;
    const std::int64_t most = std::min(arrays, shape().groups());
    std::set<std::int64_t> groups = {1, most};
    for (std::int64_t power = 2; power < most; power *= 2) groups.insert(power);
    for (std::int64_t divisor = 2; divisor < most; ++divisor)
      if (exhaustive_ || arrays % divisor == 0) groups.insert(divisor);
    std::vector<ArraySplit> result;
    for (const std::int64_t parts : groups)
      result.push_back(
          {parts, std::min(arrays / parts, ceil_div(rows_to_split(attention_), granule_.m)), 1, 1});
    return result;
  }

  Sizes sizes(std::int64_t extent, std::int64_t granule,
              const std::optional<std::int64_t>& pinned) const {
    if (pinned) return {std::min(*pinned, extent)};
    return exhaustive_ ? every_split(extent, granule) : balanced_splits(extent, granule);
  }

  void try_split(const ArraySplit& split) {
    const AttentionPin pinned = pin_.attention.value_or(AttentionPin{});
    const std::int64_t key_granule = std::min(shape().columns, std::lcm(granule_.n, granule_.k));
    for (const std::int64_t keys : sizes(shape().columns, key_granule, pinned.keys)) {
      int tried = 0;
      for (const std::int64_t queries :
           sizes(shape().group_rows(), granule_.m * split.m, pinned.queries)) {
        cut_in_blocks(npu_, queries, keys, split, attention_);
        if (const std::string reason = why_not_in_blocks(npu_, attention_); !reason.empty()) {
          if (reason_.empty()) reason_ = reason;
          continue;
        }
        const Cost cost{estimated_cycles(npu_, attention_), -queries * keys, -keys};
        if (!best_ || cost < best_->cost) best_ = Best{cost, queries, keys, split};
        if (!exhaustive_ && ++tried == kFinerBlocks) break;
      }
    }
  }

  const NpuSpec& npu_;
  const MappingPin& pin_;
  const bool exhaustive_;
  Mapping& attention_;
  const TileShape granule_;
  std::optional<Best> best_;
  std::string reason_;  ///< of the first mapping that cannot run
};

}  // namespace

std::string why_not_in_blocks(const NpuSpec& npu, const AttentionMapping& attention) {
  const workloads::AttentionBlocks& blocks = attention.blocks;
  const ArraySplit& split = attention.scores.split;
  std::string why = why_not_split(npu, split, blocks.shape.groups(), blocks.queries);
  if (!why.empty()) return why;
  why = why_not_in_accumulators(npu, "scores and context",
                                ceil_div(blocks.queries, split.m) *
                                    (blocks.keys + blocks.shape.value_depth) *
                                    attention.scores.accumulator_bytes);
  if (!why.empty()) return why;
  const AttentionBlock block = largest_block(attention);
  if (npu.scratchpad.sharing == ScratchpadSharing::separate)
    return why_not_in_scratchpad(
        npu.scratchpad,
        {query_bytes(attention, block) + weight_bytes(attention, block),
         key_bytes(attention, block) + value_bytes(attention, block) + mask_bytes(attention, block),
         running_bytes(attention, block)});
  return why_not_in_buffer(npu.scratchpad, operand_bytes(attention, block) +
                                               weight_bytes(attention, block) +
                                               running_bytes(attention, block));
}

std::int64_t estimated_cycles(const NpuSpec& npu, const AttentionMapping& attention) {
  const AttentionBlock block = largest_block(attention);
  return block_estimate(
      npu, attention_totals(npu, attention),
      operand_bytes(attention, block) + result_bytes(attention, block),
      model::VectorCost(npu.vector_unit, softening_work(attention, block)).cycles(0, 1, 1));
}

std::string choose_blocks(const NpuSpec& npu, const MappingPin& pin, AttentionMapping& attention) {
  return BlockSearch(npu, pin, attention).run();
}

std::string choose_blocks(const NpuSpec& npu, const MappingPin& pin,
                          AttentionGradientMapping& gradient) {
  return BlockSearch(npu, pin, gradient).run();
}

}  // namespace npusim::npu
