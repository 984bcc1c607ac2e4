// SPDX-License-Identifier: Apache-2.0
#include "npu_models/attention_mapping.h"

#include <algorithm>

#include "npu_models/attention_steps.h"
#include "npu_models/gemm_plan.h"
#include "npu_models/input_units.h"
#include "precision/unit_text.h"

namespace npusim::npu {
namespace {

using workloads::NodeView;
using workloads::Shape;
using workloads::TensorId;

workloads::Contraction product(std::int64_t groups, std::int64_t m, std::int64_t n,
                               std::int64_t k) {
  workloads::Contraction contraction;
  contraction.groups = groups;
  contraction.m = m;
  contraction.n = n;
  contraction.dims = {{"K", k}};
  return contraction;
}

AttentionMask mask_of(const NodeView& view, const std::vector<precision::Arithmetic>& storage) {
  AttentionMask mask;
  if (!view.has_input(3)) return mask;
  mask.element_bytes =
      storage[static_cast<std::size_t>(view.node().inputs[3])].format.storage_bytes();
  mask.boolean = view.input(3).type == workloads::ElementType::boolean;
  const Shape& shape = view.input(3).shape;
  const auto extends = [&](std::size_t from_last) {
    return shape.size() >= from_last && shape[shape.size() - from_last] > 1;
  };
  mask.by_column = extends(1);
  mask.by_row = extends(2);
  mask.by_head = extends(3);
  mask.by_batch = extends(4);
  return mask;
}

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
  attention.scores = untiled_gemm(npu, product(s.groups(), s.group_rows(), s.columns, s.depth),
                                  operand, accumulator);
  attention.context = untiled_gemm(
      npu, product(s.groups(), s.group_rows(), s.value_depth, s.columns), operand, accumulator);
  attention.operand_bytes = operand.storage_bytes();
  attention.output_bytes = format(node.outputs[0]).storage_bytes();
  attention.internal_bytes = recipe.internal.storage_bytes();
  attention.mask = mask_of(view, storage);
  attention.on_chip = npu.vector_unit.arithmetic;
  return attention;
}

std::string missing_function(const VectorUnitSpec& unit, const AttentionMapping& attention) {
  AttentionBlock block;
  block.masked = block.last = true;
  for (const auto& work : {softening_work(attention, block), update_work(attention, block)})
    for (const workloads::VectorWork& part : work)
      if (unit.cycles_per_element.count(part.function) == 0) return part.function;
  return {};
}

}  // namespace

void cut_in_blocks(const NpuSpec& npu, std::int64_t queries, std::int64_t keys,
                   const ArraySplit& split, AttentionMapping& attention) {
  workloads::AttentionBlocks& blocks = attention.blocks;
  blocks.queries = std::min(queries, blocks.shape.group_rows());
  blocks.keys = std::min(keys, blocks.shape.columns);
  const precision::MacUnit& unit = attention.scores.unit;
  const precision::Arithmetic sums = unit.accumulator();
  const MacArraySpec array = array_as(npu.mac_array, unit.a, sums.format);
  const auto context_plan = [&](std::int64_t terms) {
    workloads::Contraction contraction = attention.context.contraction;
    contraction.dims = {{"K", terms}};
    precision::ReductionPlan plan = array_plan(array, contraction, sums);
    cut_at_tiles(array, precision::ordered_terms(plan), sums, plan);
    return plan;
  };
  GemmMapping& scores = attention.scores;
  scores.plan = array_plan(array, scores.contraction, sums);
  scores.ordered_k = precision::ordered_terms(scores.plan);
  cut_at_tiles(array, scores.ordered_k, sums, scores.plan);
  scores.tile_n = blocks.keys;
  scores.tile_k = scores.ordered_k;
  GemmMapping& context = attention.context;
  context.contraction.dims = {{"K", blocks.keys}};
  context.ordered_k = precision::ordered_terms(array_plan(array, context.contraction, sums));
  context.plan = context_plan(blocks.keys);
  context.tile_n = blocks.shape.value_depth;
  context.tile_k = context.ordered_k;
  attention.last_context = context_plan(blocks.keys_in(blocks.key_blocks() - 1));
  for (GemmMapping* gemm : {&scores, &context}) {
    gemm->tile_m = blocks.queries;
    gemm->split = split;
  }
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
  if (node.outputs.size() > 1) return "the op writes its cache too";
  const auto format = [&](int input) -> const precision::Format& {
    return storage[static_cast<std::size_t>(node.inputs[static_cast<std::size_t>(input)])].format;
  };
  for (const int input : {1, 2, 4, 5})
    if (view.has_input(input) && format(input) != format(0))
      return "operands in " + format(0).name + " and " + format(input).name;
  if (format(0).is_fixed_point()) return "weights between 0 and 1 in " + format(0).name;
  AttentionMapping attention = uncut(npu, graph, node, storage, recipe);
  if (attention.scores.unit.scales) return "operands share scales";
  if (const std::string lacks = missing_function(npu.vector_unit, attention); !lacks.empty())
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
