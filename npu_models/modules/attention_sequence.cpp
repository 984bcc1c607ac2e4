// SPDX-License-Identifier: Apache-2.0
// Steps of attention by online softmax as commands; see attention_steps.h. The arrays take the
// scores of a step before the context of the one before, so that they work while the vector unit
// softens; with one scratchpad buffer a step ends before the next begins.
//
// Buffers: queries hold a slot of the streamed side, keys one of the stationary side, values one of
// the epilogue's operands, weights one of the results, and a running output one of the partial sums
// until it is stored. A mask's part shares the keys' slot, which the vector unit then gives back.
#include <algorithm>
#include <optional>
#include <tuple>

#include "base/error.h"
#include "npu_models/attention_blocks.h"
#include "npu_models/modules/sequencer.h"
#include "npu_models/modules/sram_accesses.h"

namespace npusim::npu::model {

struct Sequencer::BlockCycles {
  AttentionBlock block{0, 0, 0, false, false};
  std::int64_t softening = 0, update = 0;
};

struct Sequencer::AttentionRun {
  int op;
  const AttentionMapping& attention;
  const workloads::Node& node;
  BlockCycles known[2];  ///< by block.last; most steps are alike

  TensorId input(std::size_t i) const {
    return i < node.inputs.size() ? node.inputs[i] : workloads::kNoTensor;
  }
};

struct Sequencer::PendingStep {
  AttentionStep step;
  std::uint64_t softened = 0;  ///< number of the vector unit's command
};

namespace {

/// The vector unit's side of the scratchpad.
std::int64_t softening_bytes(const AttentionMapping& attention, const AttentionBlock& block) {
  return weight_bytes(attention, block) + mask_bytes(attention, block);
}

std::int64_t update_bytes(const AttentionMapping& attention, const AttentionBlock& block) {
  return 2 * running_bytes(attention, block) +
         (block.last ? result_bytes(attention, block) + statistics_bytes(attention, block) : 0);
}

bool same(const AttentionBlock& x, const AttentionBlock& y) {
  return std::tie(x.groups, x.queries, x.keys, x.masked, x.last) ==
         std::tie(y.groups, y.queries, y.keys, y.masked, y.last);
}

}  // namespace

void Sequencer::issue_attention(int op) {
  const MappedOp& mapped_op = mapped_.ops[static_cast<std::size_t>(op)];
  const AttentionMapping& attention = *mapped_op.attention;
  AttentionRun run{
      op, attention, mapped_.graph.nodes[static_cast<std::size_t>(mapped_op.node)], {}};
  NPUSIM_CHECK(attention.scores.split.parts() <= npu_.mac_array.arrays,
               "the mapping of " + run.node.name + " shares a block over too many arrays");
  const bool ahead = npu_.scratchpad.buffers > 1;
  std::optional<PendingStep> before;
  AttentionSteps steps(attention);
  for (AttentionStep step; steps.next(step);) {
    const PendingStep now{step, issue_scores(run, step)};
    if (before) issue_context(run, *before);
    if (ahead) {
      before = now;
    } else {
      issue_context(run, now);
    }
  }
  if (before) issue_context(run, *before);
}

std::uint64_t Sequencer::issue_scores(AttentionRun& run, const AttentionStep& step) {
  const AttentionMapping& attention = run.attention;
  const workloads::AttentionBlocks& blocks = attention.blocks;
  Scratchpad& scratchpad = engines_.scratchpad;
  if (step.first()) {
    const std::int64_t rows = blocks.shape.group_rows();
    DmaCommand load;
    load.op = run.op;
    load.address =
        tile_address(run.input(0), step.group0 * rows + step.query_block * blocks.queries,
                     blocks.shape.groups() * rows);
    load.bytes = query_bytes(attention, step.block);
    load.producers = producers(run.input(0));
    load.take[0] = &scratchpad.m_side;
    engines_.load.queue.push(load);
  }
  if (step.load_keys) load_keys(run, step, 1, 4, blocks.shape.depth, &scratchpad.n_side);
  const bool has_mask = attention.mask.element_bytes > 0;
  if (has_mask) load_mask(run, step);

  const TileExtents tile = scores_tile(attention, step.block);
  const std::int64_t held = share_bytes(attention.scores, tile);
  const Release keys = {step.last_of_keys ? &scratchpad.n_side : nullptr};
  ArrayCommand product;
  product.op = run.op;
  product.gemm = &attention.scores;
  product.tile = tile;
  product.operands = all_loads();
  product.accumulator_bytes = held;
  product.scratchpad_bytes =
      count_block_accesses(run.op, attention.operand_bytes, attention.scores, tile);
  if (step.block.last) product.give[0] = {&scratchpad.m_side};
  if (!has_mask) product.give[1] = keys;
  VectorCommand softening;
  softening.op = run.op;
  softening.cycles = vector_cycles(run, step.block).softening;
  softening.scratchpad_bytes = softening_bytes(attention, step.block);
  ledger_.record(run.op).scratchpad_bytes += softening.scratchpad_bytes;
  softening.operands = all_loads();
  softening.sums = {&engines_.array.progress, engines_.array.queue.push(product)};
  softening.take = &scratchpad.results;
  softening.give[0] = {&engines_.accumulators.bytes, held};
  if (has_mask) softening.give[1] = keys;
  return engines_.vector.queue.push(softening);
}

void Sequencer::issue_context(AttentionRun& run, const PendingStep& pending) {
  const AttentionMapping& attention = run.attention;
  const AttentionStep& step = pending.step;
  const workloads::AttentionBlocks& blocks = attention.blocks;
  Scratchpad& scratchpad = engines_.scratchpad;
  if (step.load_keys)
    load_keys(run, step, 2, 5, blocks.shape.value_depth, &scratchpad.epilogue_operands);

  const TileExtents tile = context_tile(attention, step.block);
  const std::int64_t held = share_bytes(attention.context, tile);
  ArrayCommand product;
  product.op = run.op;
  product.gemm = &attention.context;
  product.product = 1;
  product.tile = tile;
  product.operands = all_loads();
  product.weights = {&engines_.vector.progress, pending.softened};
  product.accumulator_bytes = held;
  product.scratchpad_bytes =
      count_block_accesses(run.op, attention.operand_bytes, attention.context, tile);
  product.give[0] = {&scratchpad.results};
  if (step.last_of_keys) product.give[1] = {&scratchpad.epilogue_operands};
  VectorCommand update;
  update.op = run.op;
  update.cycles = vector_cycles(run, step.block).update;
  update.scratchpad_bytes = update_bytes(attention, step.block);
  ledger_.record(run.op).scratchpad_bytes += update.scratchpad_bytes;
  update.sums = {&engines_.array.progress, engines_.array.queue.push(product)};
  if (step.first()) update.take = &scratchpad.partial_sums;
  update.give[0] = {&engines_.accumulators.bytes, held};
  const std::uint64_t updated = engines_.vector.queue.push(update);
  if (!step.block.last) return;

  const std::int64_t rows = blocks.shape.group_rows();
  DmaCommand store;
  store.op = run.op;
  store.address =
      tile_address(run.node.outputs.front(), step.group0 * rows + step.query_block * blocks.queries,
                   blocks.shape.groups() * rows);
  store.bytes = result_bytes(attention, step.block);
  store.after = {&engines_.vector.progress, updated};
  if (attention.statistics_bytes == 0) {
    store.give[0] = {&scratchpad.partial_sums};
    engines_.store.queue.push(store);
    return;
  }
  engines_.store.queue.push(store);
  store.address =
      tile_address(run.node.outputs[1], step.group0 * rows + step.query_block * blocks.queries,
                   blocks.shape.groups() * rows);
  store.bytes = statistics_bytes(attention, step.block);
  store.give[0] = {&scratchpad.partial_sums};
  engines_.store.queue.push(store);
}

/// Of the vector unit.
const Sequencer::BlockCycles& Sequencer::vector_cycles(AttentionRun& run,
                                                       const AttentionBlock& block) {
  BlockCycles& known = run.known[block.last ? 1 : 0];
  if (same(known.block, block)) return known;
  const auto cycles = [&](const std::vector<workloads::VectorWork>& work) {
    return VectorCost(npu_.vector_unit, work).cycles(0, 1, 1);
  };
  known = {block, cycles(softening_work(run.attention, block)),
           cycles(update_work(run.attention, block))};
  return known;
}

/// Keys or values of a step: what comes from the past, then what is new.
void Sequencer::load_keys(AttentionRun& run, const AttentionStep& step, std::size_t input,
                          std::size_t past_input, std::int64_t width, TokenPool* take) {
  const workloads::AttentionShape& s = run.attention.blocks.shape;
  const std::int64_t begin = step.key_block * run.attention.blocks.keys;
  const std::int64_t end = begin + step.block.keys;
  const auto part = [&](TensorId tensor, std::int64_t from, std::int64_t to, std::int64_t before,
                        std::int64_t length) {
    if (from >= to) return;
    DmaCommand load;
    load.op = run.op;
    load.address = tile_address(tensor, step.group0 * length + from - before, s.groups() * length);
    load.bytes = step.block.groups * (to - from) * width * run.attention.operand_bytes;
    load.producers = producers(tensor);
    load.take[0] = take;
    take = nullptr;
    engines_.load.queue.push(load);
  };
  part(run.input(past_input), begin, std::min(end, s.past), 0, s.past);
  part(run.input(input), std::max(begin, s.past), end, s.past, s.columns - s.past);
}

void Sequencer::load_mask(AttentionRun& run, const AttentionStep& step) {
  const workloads::AttentionBlocks& blocks = run.attention.blocks;
  DmaCommand load;
  load.op = run.op;
  load.address = tile_address(run.input(3), step.query_block * blocks.key_blocks() + step.key_block,
                              blocks.query_blocks() * blocks.key_blocks());
  load.bytes = mask_bytes(run.attention, step.block);
  load.producers = producers(run.input(3));
  engines_.load.queue.push(load);
}

/// Array's side of the on-chip memories; returns the bytes of the scratchpad.
std::int64_t Sequencer::count_block_accesses(int op, std::int64_t operand_bytes,
                                             const GemmMapping& gemm, const TileExtents& tile) {
  const SramAccesses accesses = sram_accesses(granule_, shares_of(gemm.split, tile));
  OpRecord& record = ledger_.record(op);
  const std::int64_t moved = (accesses.m_side + accesses.n_side) * operand_bytes;
  record.scratchpad_bytes += moved;
  record.accumulator_bytes +=
      (accesses.accumulator + tile.groups * tile.m * tile.n) * gemm.accumulator_bytes;
  return moved;
}

}  // namespace npusim::npu::model
