// SPDX-License-Identifier: Apache-2.0
// Steps of attention's backward pass as commands; see attention_gradient_steps.h. The arrays take
// the scores and weights' gradients of a step before the three gradients of the one before, so that
// they work while the vector unit softens; with one scratchpad buffer a step ends before the next
// begins.
//
// Buffers: a block of queries (with result, gradient and what belongs to its rows) holds a slot of
// the streamed side, keys and values one of the stationary side, weights with the gradients of
// scores one of the results, the running gradient of queries one of the partial sums, those of keys
// and values one of the epilogue's operands until they are stored. The load engine takes all but
// the results' slots, in the order of the steps: those of the running gradients of keys and values
// with the keys, those of queries by a command of no bytes where nothing comes back. A mask's part
// shares the queries' slot.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"
#include "npu_models/attention_blocks.h"
#include "npu_models/modules/sequencer.h"

namespace npusim::npu::model {

struct Sequencer::GradientRun {
  int op;
  const AttentionGradientMapping& gradient;
  const workloads::Node& node;
  /// Store that ended each block of queries' last turn in these groups; 0: it had none.
  std::vector<std::uint64_t> stored;
  /// Commands of the vector unit: of ops before, some of which take such slots themselves; the last
  /// addition to the gradient of values.
  std::uint64_t vector_before = 0, values_added = 0;
};

struct Sequencer::PendingGradient {
  GradientStep step;
  Need loaded;
  std::uint64_t softened = 0;  ///< number of the vector unit's command
};

namespace {

enum Product : std::size_t { kScores, kWeights, kValues, kKeys, kQueries };

}  // namespace

void Sequencer::issue_attention_gradient(int op) {
  const MappedOp& mapped_op = mapped_.ops[static_cast<std::size_t>(op)];
  const AttentionGradientMapping& gradient = *mapped_op.attention_gradient;
  GradientRun run{
      op, gradient, mapped_.graph.nodes[static_cast<std::size_t>(mapped_op.node)],
      std::vector<std::uint64_t>(static_cast<std::size_t>(gradient.blocks.query_blocks()), 0),
      engines_.vector.queue.pushed()};
  NPUSIM_CHECK(gradient.scores.split.parts() <= npu_.mac_array.arrays,
               "the mapping of " + run.node.name + " shares a block over too many arrays");
  const bool ahead = npu_.scratchpad.buffers > 1;
  std::optional<PendingGradient> before;
  GradientSteps steps(gradient);
  for (GradientStep step; steps.next(step);) {
    const PendingGradient now = issue_scores_again(run, step);
    if (before) issue_gradients(run, *before);
    if (ahead) {
      before = now;
    } else {
      issue_gradients(run, now);
    }
  }
  if (before) issue_gradients(run, *before);
}

Sequencer::PendingGradient Sequencer::issue_scores_again(GradientRun& run,
                                                         const GradientStep& step) {
  const AttentionGradientMapping& gradient = run.gradient;
  if (step.load_queries) load_queries(run, step);
  if (step.load_keys) load_keys(run, step);
  const workloads::AttentionBlocks& blocks = gradient.blocks;
  const std::int64_t masked = mask_bytes(gradient.mask, blocks.shape, step.block);
  if (gradient.mask.element_bytes > 0) {
    DmaCommand load;
    load.op = run.op;
    load.address =
        tile_address(run.node.inputs[3], step.query_block * blocks.key_blocks() + step.key_block,
                     blocks.query_blocks() * blocks.key_blocks());
    load.bytes = masked;
    load.producers = producers(run.node.inputs[3]);
    engines_.load.queue.push(load);
  }
  const Need loaded = all_loads();
  issue_product(run, step, kScores, loaded, {}, {});
  VectorCommand softening;
  softening.sums = issue_product(run, step, kWeights, loaded, {}, {});
  softening.operands = loaded;
  if (step.starts_queries) {
    VectorCommand dots;
    dots.operands = loaded;
    issue_vector_work(run, dots_work(gradient, step.block),
                      result_bytes(gradient, step.block) +
                          result_gradient_bytes(gradient, step.block) +
                          dots_bytes(gradient, step.block),
                      dots);
  }
  softening.take = &engines_.scratchpad.results;
  const auto products = gradient_products(gradient, step.block);
  softening.give[0] = {&engines_.accumulators.bytes,
                       share_bytes(gradient.scores, products[kScores].tile) +
                           share_bytes(gradient.weights, products[kWeights].tile)};
  const std::uint64_t softened = issue_vector_work(run, recomputing_work(gradient, step.block),
                                                   soft_bytes(gradient, step.block) + masked +
                                                       statistics_bytes(gradient, step.block) +
                                                       dots_bytes(gradient, step.block),
                                                   softening);
  return {step, loaded, softened};
}

void Sequencer::issue_gradients(GradientRun& run, const PendingGradient& pending) {
  const AttentionGradientMapping& gradient = run.gradient;
  const GradientStep& step = pending.step;
  Scratchpad& scratchpad = engines_.scratchpad;
  const Need softened = {&engines_.vector.progress, pending.softened};
  const auto products = gradient_products(gradient, step.block);
  const auto add = [&](Product product, const Release& release, const Need& operands) {
    VectorCommand adding;
    adding.sums = issue_product(run, step, product, pending.loaded, softened, release);
    adding.operands = operands;
    adding.give[0] = {&engines_.accumulators.bytes,
                      share_bytes(*products[product].gemm, products[product].tile)};
    const TileExtents& tile = products[product].tile;
    return issue_vector_work(run, adding_work(gradient, step.block, product),
                             2 * tile.groups * tile.m * tile.n * gradient.internal_bytes, adding);
  };
  run.values_added = add(kValues, {}, {});
  add(kKeys, {step.last_of_queries ? &scratchpad.m_side : nullptr}, {});
  Need running = pending.loaded;
  if (step.load_queries) {
    // A slot for the running gradient, with what it was before.
    DmaCommand load;
    load.op = run.op;
    load.take[0] = &scratchpad.partial_sums;
    load.after = {&engines_.vector.progress, run.vector_before};
    if (!step.starts_queries) {
      load.address =
          tile_address(run.node.outputs[0], step.query_block, gradient.blocks.query_blocks());
      load.bytes = running_query_bytes(gradient, step.block);
      load.spill = true;
      load.after = {&engines_.store.progress,
                    run.stored[static_cast<std::size_t>(step.query_block)]};
    }
    engines_.load.queue.push(load);
    running = all_loads();
  }
  const std::uint64_t added =
      add(kQueries, {step.last_of_keys ? &scratchpad.n_side : nullptr}, running);
  finish_queries(run, step, added);
  if (step.last_of_keys) finish_keys(run, step);
}

/// Queries, gradients of results and statistics; results at a block's first step, dots at the
/// others.
void Sequencer::load_queries(GradientRun& run, const GradientStep& step) {
  const AttentionGradientMapping& gradient = run.gradient;
  const workloads::AttentionBlocks& blocks = gradient.blocks;
  const std::int64_t rows = blocks.shape.group_rows();
  TokenPool* take = &engines_.scratchpad.m_side;
  const auto part = [&](std::size_t input, std::int64_t bytes) {
    DmaCommand load;
    load.op = run.op;
    load.address =
        tile_address(run.node.inputs[input], step.group0 * rows + step.query_block * blocks.queries,
                     blocks.shape.groups() * rows);
    load.bytes = bytes;
    load.producers = producers(run.node.inputs[input]);
    load.take[0] = take;
    take = nullptr;
    engines_.load.queue.push(load);
  };
  part(0, query_bytes(gradient, step.block));
  part(8, result_gradient_bytes(gradient, step.block));
  part(7, statistics_bytes(gradient, step.block));
  if (step.starts_queries) return part(6, result_bytes(gradient, step.block));
  DmaCommand dots;
  dots.op = run.op;
  dots.address =
      tile_address(run.node.inputs[7], step.group0 * rows + step.query_block * blocks.queries,
                   blocks.shape.groups() * rows);
  dots.bytes = dots_bytes(gradient, step.block);
  dots.after = {&engines_.store.progress, run.stored[static_cast<std::size_t>(step.query_block)]};
  engines_.load.queue.push(dots);
}

void Sequencer::load_keys(GradientRun& run, const GradientStep& step) {
  const AttentionGradientMapping& gradient = run.gradient;
  const workloads::AttentionBlocks& blocks = gradient.blocks;
  bool first = true;
  for (const auto& [input, bytes] :
       {std::pair{std::size_t{1}, key_bytes(gradient, step.block)},
        std::pair{std::size_t{2}, value_bytes(gradient, step.block)}}) {
    DmaCommand load;
    load.op = run.op;
    load.address = tile_address(run.node.inputs[input],
                                step.group0 * blocks.shape.columns + step.key_block * blocks.keys,
                                blocks.shape.groups() * blocks.shape.columns);
    load.bytes = bytes;
    load.producers = producers(run.node.inputs[input]);
    if (std::exchange(first, false)) {
      load.take[0] = &engines_.scratchpad.n_side;
      load.take[1] = &engines_.scratchpad.epilogue_operands;
    }
    engines_.load.queue.push(load);
  }
}

/// The running gradient of queries stays, leaves for later, or is done.
void Sequencer::finish_queries(GradientRun& run, const GradientStep& step, std::uint64_t added) {
  const AttentionGradientMapping& gradient = run.gradient;
  const workloads::AttentionBlocks& blocks = gradient.blocks;
  DmaCommand store;
  store.op = run.op;
  store.after = {&engines_.vector.progress, added};
  std::uint64_t& stored = run.stored[static_cast<std::size_t>(step.query_block)];
  const std::int64_t rows = blocks.shape.group_rows();
  if (step.store_dots) {
    DmaCommand dots = store;
    dots.address =
        tile_address(run.node.inputs[7], step.group0 * rows + step.query_block * blocks.queries,
                     blocks.shape.groups() * rows);
    dots.bytes = dots_bytes(gradient, step.block);
    engines_.store.queue.push(dots);
  }
  if (!step.last_of_queries) return;
  store.give[0] = {&engines_.scratchpad.partial_sums};
  if (step.ends_queries) {
    VectorCommand scaling;
    store.after = {&engines_.vector.progress,
                   issue_vector_work(run, finishing_queries_work(gradient, step.block),
                                     running_query_bytes(gradient, step.block) +
                                         query_gradient_bytes(gradient, step.block),
                                     scaling)};
    store.address =
        tile_address(run.node.outputs[0], step.group0 * rows + step.query_block * blocks.queries,
                     blocks.shape.groups() * rows);
    store.bytes = query_gradient_bytes(gradient, step.block);
  } else {
    store.address = tile_address(run.node.outputs[0], step.query_block, blocks.query_blocks());
    store.bytes = running_query_bytes(gradient, step.block);
    store.spill = true;
  }
  stored = engines_.store.queue.push(store);
}

void Sequencer::finish_keys(GradientRun& run, const GradientStep& step) {
  const AttentionGradientMapping& gradient = run.gradient;
  const workloads::AttentionBlocks& blocks = gradient.blocks;
  VectorCommand scaling;
  const std::uint64_t scaled = issue_vector_work(run, finishing_keys_work(gradient, step.block),
                                                 running_key_bytes(gradient, step.block) +
                                                     key_gradient_bytes(gradient, step.block) +
                                                     value_gradient_bytes(gradient, step.block),
                                                 scaling);
  DmaCommand store;
  store.op = run.op;
  const auto part = [&](std::size_t output, std::int64_t bytes, std::uint64_t after) {
    store.address = tile_address(run.node.outputs[output],
                                 step.group0 * blocks.shape.columns + step.key_block * blocks.keys,
                                 blocks.shape.groups() * blocks.shape.columns);
    store.bytes = bytes;
    store.after = {&engines_.vector.progress, after};
    engines_.store.queue.push(store);
  };
  part(2, value_gradient_bytes(gradient, step.block), run.values_added);
  store.give[0] = {&engines_.scratchpad.epilogue_operands};
  part(1, key_gradient_bytes(gradient, step.block), scaled);
}

Need Sequencer::issue_product(GradientRun& run, const GradientStep& step, std::size_t product,
                              const Need& operands, const Need& weights, const Release& release) {
  const GradientProduct of = gradient_products(run.gradient, step.block)[product];
  ArrayCommand command;
  command.op = run.op;
  command.gemm = of.gemm;
  command.product = static_cast<int>(product);
  command.tile = of.tile;
  command.operands = operands;
  command.weights = weights;
  command.accumulator_bytes = share_bytes(*of.gemm, of.tile);
  command.scratchpad_bytes =
      count_block_accesses(run.op, run.gradient.operand_bytes, *of.gemm, of.tile);
  command.give[0] = release;
  if (product == kQueries) command.give[1] = {&engines_.scratchpad.results};
  return {&engines_.array.progress, engines_.array.queue.push(command)};
}

std::uint64_t Sequencer::issue_vector_work(GradientRun& run,
                                           const std::vector<workloads::VectorWork>& work,
                                           std::int64_t scratchpad_bytes, VectorCommand command) {
  command.op = run.op;
  command.cycles = VectorCost(npu_.vector_unit, work).cycles(0, 1, 1);
  command.scratchpad_bytes = scratchpad_bytes;
  ledger_.record(run.op).scratchpad_bytes += scratchpad_bytes;
  return engines_.vector.queue.push(command);
}

}  // namespace npusim::npu::model
