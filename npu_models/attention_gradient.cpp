// SPDX-License-Identifier: Apache-2.0
#include "npu_models/attention_gradient.h"

#include <algorithm>

#include "npu_models/attention_blocks.h"
#include "npu_models/attention_gradient_steps.h"
#include "npu_models/ceil_div.h"
#include "npu_models/input_units.h"
#include "npu_models/modules/vector_cost.h"
#include "npu_models/scratchpad_room.h"
#include "precision/unit_text.h"

namespace npusim::npu {
namespace {

using workloads::NodeView;
using workloads::TensorId;

/// Everything but blocks: formats, units and orders.
AttentionGradientMapping uncut(const NpuSpec& npu, const workloads::Graph& graph,
                               const workloads::Node& node,
                               const std::vector<precision::Arithmetic>& storage,
                               const workloads::Recipe& recipe) {
  const NodeView view(graph, node);
  AttentionGradientMapping gradient;
  workloads::AttentionShape& s = gradient.blocks.shape;
  s = workloads::attention_shape(view);
  const auto format = [&](TensorId id) -> const precision::Format& {
    return storage[static_cast<std::size_t>(id)].format;
  };
  const auto bytes = [&](TensorId id) -> std::int64_t { return format(id).storage_bytes(); };
  const precision::Format& operand = format(node.inputs[0]);
  const precision::Format accumulator =
      recipe.accumulator ? *recipe.accumulator : default_accumulator(npu.mac_array, operand);
  const auto product = [&](std::int64_t m, std::int64_t n, std::int64_t k) {
    return untiled_gemm(npu, attention_product(s.groups(), m, n, k), operand, accumulator);
  };
  gradient.scores = product(s.group_rows(), s.columns, s.depth);
  gradient.weights = product(s.group_rows(), s.columns, s.value_depth);
  gradient.values = product(s.columns, s.value_depth, s.group_rows());
  gradient.keys = product(s.columns, s.depth, s.group_rows());
  gradient.queries = product(s.group_rows(), s.depth, s.columns);
  gradient.operand_bytes = operand.storage_bytes();
  gradient.result_bytes = bytes(node.inputs[6]);
  gradient.statistics_bytes = bytes(node.inputs[7]);
  gradient.internal_bytes = node.internal.value_or(recipe.internal).storage_bytes();
  gradient.query_gradient_bytes = bytes(node.outputs[0]);
  gradient.key_gradient_bytes = bytes(node.outputs[1]);
  gradient.value_gradient_bytes = bytes(node.outputs[2]);
  gradient.mask = attention_mask(view, storage);
  gradient.on_chip = npu.vector_unit.arithmetic;
  return gradient;
}

bool hides_keys(const workloads::AttentionShape& shape) {
  return shape.causal && shape.columns > shape.rows + shape.past;
}

/// The scratchpad's side of one step; operands of both sides are counted in both.
TileBytes block_bytes(const AttentionGradientMapping& gradient, const AttentionBlock& block) {
  const std::int64_t both = query_bytes(gradient, block) + result_gradient_bytes(gradient, block) +
                            soft_bytes(gradient, block);
  const std::int64_t rows = result_bytes(gradient, block) + statistics_bytes(gradient, block) +
                            dots_bytes(gradient, block);
  return {both + rows,
          both + key_bytes(gradient, block) + value_bytes(gradient, block) +
              mask_bytes(gradient.mask, gradient.blocks.shape, block),
          running_query_bytes(gradient, block) + running_key_bytes(gradient, block)};
}

}  // namespace

void cut_in_blocks(const NpuSpec& npu, std::int64_t queries, std::int64_t keys,
                   const ArraySplit& split, AttentionGradientMapping& gradient) {
  workloads::AttentionBlocks& blocks = gradient.blocks;
  const workloads::AttentionShape& s = blocks.shape;
  blocks.queries = std::min(queries, s.group_rows());
  blocks.keys = std::min(keys, s.columns);
  set_block(npu, blocks.queries, blocks.keys, s.depth, split, gradient.scores);
  set_block(npu, blocks.queries, blocks.keys, s.value_depth, split, gradient.weights);
  set_block(npu, blocks.keys, s.value_depth, blocks.queries, split, gradient.values);
  set_block(npu, blocks.keys, s.depth, blocks.queries, split, gradient.keys);
  set_block(npu, blocks.queries, s.depth, blocks.keys, split, gradient.queries);
  gradient.last_queries =
      block_plan(npu, gradient.values, blocks.queries_in(blocks.query_blocks() - 1));
  gradient.last_keys = block_plan(npu, gradient.queries, blocks.keys_in(blocks.key_blocks() - 1));
}

std::string describe_mapping(const AttentionGradientMapping& gradient) {
  return "backward pass of fused attention, blocks of " + std::to_string(gradient.blocks.queries) +
         " queries x " + std::to_string(gradient.blocks.keys) + " keys, split " +
         describe(gradient.scores.split);
}

std::string describe_plan(const AttentionGradientMapping& gradient) {
  std::string text = "scores computed again, " + std::to_string(gradient.blocks.queries) +
                     " queries x " + std::to_string(gradient.blocks.keys) + " keys";
  const auto add = [&](const char* name, const precision::ReductionPlan& plan) {
    text += std::string(" | ") + name + " " + precision::describe(plan);
  };
  add("scores", gradient.scores.plan);
  add("weights", gradient.weights.plan);
  add("by blocks of queries", gradient.values.plan);
  if (gradient.last_queries.terms() != gradient.values.plan.terms())
    add("last queries", gradient.last_queries);
  add("by blocks of keys", gradient.queries.plan);
  if (gradient.last_keys.terms() != gradient.queries.plan.terms())
    add("last keys", gradient.last_keys);
  return text + " | on chip " + precision::describe(gradient.on_chip);
}

std::string why_not_in_blocks(const NpuSpec& npu, const AttentionGradientMapping& gradient) {
  const ArraySplit& split = gradient.scores.split;
  const workloads::AttentionBlocks& blocks = gradient.blocks;
  const workloads::AttentionShape& s = blocks.shape;
  std::string why = why_not_split(npu, split, s.groups(), std::min(blocks.queries, blocks.keys));
  if (!why.empty()) return why;
  const std::int64_t queries = ceil_div(blocks.queries, split.m);
  const std::int64_t largest = std::max(
      ceil_div(blocks.keys, split.m) * std::max(s.depth, s.value_depth), queries * s.depth);
  why = why_not_in_accumulators(
      npu, "scores and gradients",
      (2 * queries * blocks.keys + largest) * gradient.scores.accumulator_bytes);
  if (!why.empty()) return why;
  const AttentionBlock block = largest_block(gradient);
  const TileBytes tile = block_bytes(gradient, block);
  if (npu.scratchpad.sharing == ScratchpadSharing::separate)
    return why_not_in_scratchpad(npu.scratchpad, tile);
  const std::int64_t twice = query_bytes(gradient, block) + result_gradient_bytes(gradient, block) +
                             soft_bytes(gradient, block);
  return why_not_in_buffer(npu.scratchpad, tile.streamed + tile.stationary + tile.results - twice);
}

std::int64_t estimated_cycles(const NpuSpec& npu, const AttentionGradientMapping& gradient) {
  const AttentionBlock block = largest_block(gradient);
  const std::int64_t first = query_bytes(gradient, block) + result_bytes(gradient, block) +
                             result_gradient_bytes(gradient, block) +
                             statistics_bytes(gradient, block) + key_bytes(gradient, block) +
                             value_bytes(gradient, block) +
                             mask_bytes(gradient.mask, gradient.blocks.shape, block);
  const std::int64_t last =
      key_gradient_bytes(gradient, block) + value_gradient_bytes(gradient, block);
  return block_estimate(
      npu, gradient_totals(npu, gradient), first + last,
      model::VectorCost(npu.vector_unit, recomputing_work(gradient, block)).cycles(0, 1, 1));
}

std::string why_not_fused_gradient(const NpuSpec& npu, const workloads::Graph& graph,
                                   const workloads::Node& node,
                                   const std::vector<precision::Arithmetic>& storage,
                                   const workloads::Recipe& recipe) {
  const NodeView view(graph, node);
  if (const std::string differ = why_operands_differ(view, {1, 2, 8}, storage); !differ.empty())
    return differ;
  AttentionGradientMapping gradient = uncut(npu, graph, node, storage, recipe);
  if (hides_keys(gradient.blocks.shape)) return "the mask hides keys from every query";
  if (gradient.scores.unit.scales) return "operands share scales";
  AttentionBlock block;
  block.masked = true;
  const std::string lacks = missing_function(
      npu.vector_unit, {recomputing_work(gradient, block), dots_work(gradient, block)});
  if (!lacks.empty()) return "the vector unit has no " + lacks;
  return choose_blocks(npu, {}, gradient);
}

AttentionGradientMapping map_attention_gradient(const NpuSpec& npu, const workloads::Graph& graph,
                                                const workloads::Node& node,
                                                const std::vector<precision::Arithmetic>& storage,
                                                const workloads::Recipe& recipe,
                                                const MappingPin* pin) {
  AttentionGradientMapping gradient = uncut(npu, graph, node, storage, recipe);
  const std::string reason = choose_blocks(npu, pin == nullptr ? MappingPin{} : *pin, gradient);
  if (pin != nullptr && !reason.empty()) throw IllegalPin(reason);
  NPUSIM_CHECK(reason.empty(), node.name + " on " + npu.name + ": " + reason);
  return gradient;
}

}  // namespace npusim::npu
