// SPDX-License-Identifier: Apache-2.0
#include "npu_models/attention_mapping.h"

#include <algorithm>

#include "npu_models/attention_blocks.h"
#include "npu_models/attention_steps.h"
#include "npu_models/input_units.h"
#include "precision/unit_text.h"

namespace npusim::npu {
namespace {

using workloads::NodeView;
using workloads::TensorId;

/// Everything but blocks: formats, units and orders.
AttentionMapping uncut(const NpuSpec& npu, const workloads::Graph& graph,
                       const workloads::Node& node,
                       const std::vector<precision::Arithmetic>& storage,
                       const workloads::Recipe& recipe) {
  const NodeView view(graph, node);
  AttentionMapping attention;
  workloads::AttentionShape& s = attention.blocks.shape;
  s = workloads::attention_shape(view);
  const auto format = [&](TensorId id) -> const precision::Format& {
    return storage[static_cast<std::size_t>(id)].format;
  };
  const precision::Format& operand = format(node.inputs[0]);
  const precision::Format accumulator =
      recipe.accumulator ? *recipe.accumulator : default_accumulator(npu.mac_array, operand);
  attention.scores = untiled_gemm(
      npu, attention_product(s.groups(), s.group_rows(), s.columns, s.depth), operand, accumulator);
  attention.context =
      untiled_gemm(npu, attention_product(s.groups(), s.group_rows(), s.value_depth, s.columns),
                   operand, accumulator);
  attention.operand_bytes = operand.storage_bytes();
  attention.output_bytes = format(node.outputs[0]).storage_bytes();
  attention.internal_bytes = node.internal.value_or(recipe.internal).storage_bytes();
  attention.mask = attention_mask(view, storage);
  if (node.op == workloads::kAttentionWithStatistics)
    attention.statistics_bytes = format(node.outputs[1]).storage_bytes();
  attention.on_chip = npu.vector_unit.arithmetic;
  return attention;
}

std::string lacking_function(const VectorUnitSpec& unit, const AttentionMapping& attention) {
  AttentionBlock block;
  block.masked = block.last = true;
  return missing_function(unit, {softening_work(attention, block), update_work(attention, block)});
}

}  // namespace

void cut_in_blocks(const NpuSpec& npu, std::int64_t queries, std::int64_t keys,
                   const ArraySplit& split, AttentionMapping& attention) {
  workloads::AttentionBlocks& blocks = attention.blocks;
  blocks.queries = std::min(queries, blocks.shape.group_rows());
  blocks.keys = std::min(keys, blocks.shape.columns);
  GemmMapping& scores = attention.scores;
  set_block(npu, blocks.queries, blocks.keys, blocks.shape.depth, split, scores);
  GemmMapping& context = attention.context;
  set_block(npu, blocks.queries, blocks.shape.value_depth, blocks.keys, split, context);
  attention.last_context = block_plan(npu, context, blocks.keys_in(blocks.key_blocks() - 1));
}

std::string describe_mapping(const AttentionMapping& attention) {
  return "fused attention, blocks of " + std::to_string(attention.blocks.queries) + " queries x " +
         std::to_string(attention.blocks.keys) + " keys, split " + describe(attention.scores.split);
}

std::string describe_plan(const AttentionMapping& attention) {
  std::string text = "online softmax, " + std::to_string(attention.blocks.queries) + " queries x " +
                     std::to_string(attention.blocks.keys) + " keys | scores " +
                     precision::describe(attention.scores.plan) + " | context " +
                     precision::describe(attention.context.plan);
  if (attention.last_context.terms() != attention.context.plan.terms())
    text += " | last context " + precision::describe(attention.last_context);
  return text + " | on chip " + precision::describe(attention.on_chip);
}

std::string why_not_fused(const NpuSpec& npu, const workloads::Graph& graph,
                          const workloads::Node& node,
                          const std::vector<precision::Arithmetic>& storage,
                          const workloads::Recipe& recipe) {
  const NodeView view(graph, node);
  if (node.op == "Attention" && node.outputs.size() > 1) return "the op writes its cache too";
  if (const std::string differ = why_operands_differ(view, {1, 2, 4, 5}, storage); !differ.empty())
    return differ;
  AttentionMapping attention = uncut(npu, graph, node, storage, recipe);
  if (attention.scores.unit.scales) return "operands share scales";
  if (const std::string lacks = lacking_function(npu.vector_unit, attention); !lacks.empty())
    return "the vector unit has no " + lacks;
  return choose_blocks(npu, {}, attention);
}

AttentionMapping map_attention(const NpuSpec& npu, const workloads::Graph& graph,
                               const workloads::Node& node,
                               const std::vector<precision::Arithmetic>& storage,
                               const workloads::Recipe& recipe, const MappingPin* pin) {
  AttentionMapping attention = uncut(npu, graph, node, storage, recipe);
  const std::string reason = choose_blocks(npu, pin == nullptr ? MappingPin{} : *pin, attention);
  if (pin != nullptr && !reason.empty()) throw IllegalPin(reason);
  NPUSIM_CHECK(reason.empty(), node.name + " on " + npu.name + ": " + reason);
  return attention;
}

}  // namespace npusim::npu
