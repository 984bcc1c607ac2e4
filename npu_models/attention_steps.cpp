// SPDX-License-Identifier: Apache-2.0
#include "npu_models/attention_steps.h"

#include <algorithm>
#include <tuple>

#include "npu_models/ceil_div.h"
#include "npu_models/modules/vector_cost.h"
#include "npu_models/port_limits.h"

namespace npusim::npu {
namespace {

using workloads::VectorWork;

/// Calls visit(block, block of queries, count) for each kind of step.
template <class Visit>
void each_kind(const AttentionMapping& attention, const Visit& visit) {
  const workloads::AttentionBlocks& blocks = attention.blocks;
  const std::int64_t together = attention.scores.split.groups;
  const std::int64_t all = blocks.shape.groups();
  for (const auto& [groups, times] :
       {std::pair{together, all / together}, std::pair{all % together, std::int64_t{1}}}) {
    if (groups == 0 || times == 0) continue;
    for (std::int64_t q = 0; q < blocks.query_blocks(); ++q) {
      const std::int64_t run = blocks.blocks_for(q);
      const std::int64_t open = std::min(run, blocks.open_blocks(q));
      const auto kind = [&](std::int64_t key_block, bool masked, std::int64_t count) {
        if (count > 0)
          visit(AttentionBlock{groups, blocks.queries_in(q), blocks.keys_in(key_block), masked,
                               key_block == run - 1},
                q, times * count);
      };
      // The last block stands alone: it may be shorter, and the results leave behind it.
      kind(0, false, std::min(open, run - 1));
      kind(0, true, run - 1 - std::min(open, run - 1));
      kind(run - 1, open < run, 1);
    }
  }
}

void add_to(std::map<std::string, std::int64_t>& sums, const std::vector<VectorWork>& work,
            std::int64_t times) {
  for (const VectorWork& part : work) sums[part.function] += part.elements * times;
}

}  // namespace

TileExtents scores_tile(const AttentionMapping& attention, const AttentionBlock& block) {
  const std::int64_t k = attention.scores.ordered_k;
  return {block.groups, block.queries, block.keys, k, k};
}

TileExtents context_tile(const AttentionMapping& attention, const AttentionBlock& block) {
  const std::int64_t k = block.keys == attention.blocks.keys
                             ? attention.context.ordered_k
                             : precision::ordered_terms(attention.last_context);
  return {block.groups, block.queries, attention.blocks.shape.value_depth, k, k};
}

std::vector<VectorWork> softening_work(const AttentionMapping& attention,
                                       const AttentionBlock& block) {
  const std::int64_t rows = block.groups * block.queries;
  const std::int64_t scores = rows * block.keys;
  const bool capped = attention.blocks.shape.softcap != 0.0;
  const bool added = attention.mask.element_bytes > 0 && !attention.mask.boolean;
  std::vector<VectorWork> work = {
      {"mul", (capped ? 2 : 1) * scores + rows},
      {"max", scores + rows},
      {"add", ((block.masked ? 1 : 0) + (added ? 1 : 0) + 2) * scores + 2 * rows},
      {"exp", (capped ? 2 : 1) * scores + rows}};
  if (capped) work.push_back({"div", scores});
  if (attention.mask.boolean) work.push_back({"compare", scores});
  return work;
}

std::vector<VectorWork> update_work(const AttentionMapping& attention,
                                    const AttentionBlock& block) {
  const std::int64_t outputs = block.groups * block.queries * attention.blocks.shape.value_depth;
  std::vector<VectorWork> work = {{"mul", outputs}, {"add", outputs}};
  if (block.last) work.push_back({"div", outputs});
  if (block.last && attention.statistics_bytes > 0) {
    const std::int64_t rows = block.groups * block.queries;
    work.push_back({"log", rows});
    work.push_back({"add", rows});
  }
  return work;
}

std::int64_t query_bytes(const AttentionMapping& attention, const AttentionBlock& block) {
  return block.groups * block.queries * attention.blocks.shape.depth * attention.operand_bytes;
}

std::int64_t key_bytes(const AttentionMapping& attention, const AttentionBlock& block) {
  return block.groups * block.keys * attention.blocks.shape.depth * attention.operand_bytes;
}

std::int64_t value_bytes(const AttentionMapping& attention, const AttentionBlock& block) {
  return block.groups * block.keys * attention.blocks.shape.value_depth * attention.operand_bytes;
}

std::int64_t mask_bytes(const AttentionMapping& attention, const AttentionBlock& block) {
  return mask_bytes(attention.mask, attention.blocks.shape, block);
}

std::int64_t mask_bytes(const AttentionMask& mask, const workloads::AttentionShape& shape,
                        const AttentionBlock& block) {
  // A group is the key-value head of a batch entry; its rows are those of its heads in turn.
  std::int64_t groups = 1, rows = 1;
  if (mask.by_batch)
    groups = mask.by_head ? block.groups : ceil_div(block.groups, shape.kv_heads);
  else if (mask.by_head)
    groups = std::min(block.groups, shape.kv_heads);
  if (mask.by_row)
    rows = mask.by_head ? block.queries : std::min(block.queries, shape.rows);
  else if (mask.by_head)
    rows = ceil_div(block.queries, shape.rows);
  return mask.element_bytes * groups * rows * (mask.by_column ? block.keys : 1);
}

std::int64_t result_bytes(const AttentionMapping& attention, const AttentionBlock& block) {
  return block.groups * block.queries * attention.blocks.shape.value_depth * attention.output_bytes;
}

std::int64_t statistics_bytes(const AttentionMapping& attention, const AttentionBlock& block) {
  return block.groups * block.queries * attention.statistics_bytes;
}

std::int64_t weight_bytes(const AttentionMapping& attention, const AttentionBlock& block) {
  return block.groups * block.queries * block.keys * attention.operand_bytes;
}

std::int64_t running_bytes(const AttentionMapping& attention, const AttentionBlock& block) {
  return block.groups * block.queries * (attention.blocks.shape.value_depth + 2) *
         attention.internal_bytes;
}

AttentionSteps::AttentionSteps(const AttentionMapping& attention)
    : attention_(attention), run_(attention.blocks.blocks_for(0)) {}

AttentionBlock AttentionSteps::block_here() const {
  const workloads::AttentionBlocks& blocks = attention_.blocks;
  return {std::min(attention_.scores.split.groups, blocks.shape.groups() - group0_),
          blocks.queries_in(query_block_), blocks.keys_in(key_block_),
          key_block_ >= blocks.open_blocks(query_block_), key_block_ == run_ - 1};
}

bool AttentionSteps::advance() {
  if (++key_block_ < run_) return true;
  key_block_ = 0;
  if (++query_block_ == attention_.blocks.query_blocks()) {
    query_block_ = 0;
    group0_ += attention_.scores.split.groups;
  }
  run_ = attention_.blocks.blocks_for(query_block_);
  return group0_ < attention_.blocks.shape.groups();
}

bool AttentionSteps::next(AttentionStep& step) {
  if (!more_) return false;
  step = {block_here(), group0_, query_block_, key_block_, true, true};
  step.load_keys = last_group0_ != group0_ || last_key_block_ != key_block_;
  last_group0_ = group0_;
  last_key_block_ = key_block_;
  more_ = advance();
  step.last_of_keys = !more_ || group0_ != last_group0_ || key_block_ != last_key_block_;
  return true;
}

std::int64_t product_cycles(const NpuSpec& npu, const GemmMapping& gemm, const TileExtents& tile) {
  std::int64_t cycles = 0;
  for (const ArrayShare& share : shares_of(gemm.split, tile))
    cycles = std::max(cycles, share_cycles(npu.mac_array, gemm, share.shape, false).total());
  return cycles;
}

AttentionTotals attention_totals(const NpuSpec& npu, const AttentionMapping& attention) {
  using Kind = std::tuple<std::int64_t, std::int64_t, std::int64_t, bool, bool>;
  struct Cycles {
    std::int64_t array = 0, vector = 0;
  };
  std::map<Kind, Cycles> known;
  const auto vector_cycles = [&](const std::vector<VectorWork>& work) {
    return model::VectorCost(npu.vector_unit, work).cycles(0, 1, 1);
  };
  AttentionTotals totals;
  each_kind(attention, [&](const AttentionBlock& block, std::int64_t query_block,
                           std::int64_t count) {
    const std::vector<VectorWork> softening = softening_work(attention, block);
    const std::vector<VectorWork> update = update_work(attention, block);
    const auto [at, fresh] = known.emplace(
        Kind{block.groups, block.queries, block.keys, block.masked, block.last}, Cycles{});
    if (fresh)
      at->second = {product_cycles(npu, attention.scores, scores_tile(attention, block)) +
                        product_cycles(npu, attention.context, context_tile(attention, block)),
                    vector_cycles(softening) + vector_cycles(update)};
    totals.steps += count;
    totals.array_cycles += count * at->second.array;
    totals.vector_cycles += count * at->second.vector;
    add_to(totals.work, softening, count);
    add_to(totals.work, update, count);
    const std::int64_t keys = key_bytes(attention, block) + value_bytes(attention, block);
    totals.read_bytes += count * (keys + mask_bytes(attention, block));
    if (!block.last) return;
    totals.read_bytes += count * query_bytes(attention, block);
    totals.write_bytes +=
        count * (result_bytes(attention, block) + statistics_bytes(attention, block));
    // The first step of a block of queries finds its keys there when the one before had no others.
    if (query_block > 0 && attention.blocks.blocks_for(query_block - 1) == 1) {
      AttentionBlock first = block;
      first.keys = attention.blocks.keys_in(0);
      totals.read_bytes -= count * (key_bytes(attention, first) + value_bytes(attention, first));
    }
  });
  return totals;
}

}  // namespace npusim::npu
