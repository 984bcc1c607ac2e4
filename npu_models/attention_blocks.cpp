// SPDX-License-Identifier: Apache-2.0
#include "npu_models/attention_blocks.h"

#include <algorithm>
#include <cmath>

#include "npu_models/ceil_div.h"
#include "npu_models/dma_rate.h"
#include "npu_models/gemm_plan.h"

namespace npusim::npu {

using workloads::NodeView;
using workloads::Shape;

workloads::Contraction attention_product(std::int64_t groups, std::int64_t m, std::int64_t n,
                                         std::int64_t k) {
  workloads::Contraction contraction;
  contraction.groups = groups;
  contraction.m = m;
  contraction.n = n;
  contraction.dims = {{"K", k}};
  return contraction;
}

AttentionMask attention_mask(const NodeView& view,
                             const std::vector<precision::Arithmetic>& storage) {
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

precision::ReductionPlan block_plan(const NpuSpec& npu, const GemmMapping& product,
                                    std::int64_t terms) {
  const precision::Arithmetic sums = product.unit.accumulator();
  const MacArraySpec array = array_as(npu.mac_array, product.unit.a, sums.format);
  workloads::Contraction contraction = product.contraction;
  contraction.dims = {{"K", terms}};
  precision::ReductionPlan plan = array_plan(array, contraction, sums);
  cut_at_tiles(array, precision::ordered_terms(plan), sums, plan);
  return plan;
}

std::string missing_function(const VectorUnitSpec& unit,
                             const std::vector<std::vector<workloads::VectorWork>>& work) {
  for (const std::vector<workloads::VectorWork>& parts : work)
    for (const workloads::VectorWork& part : parts)
      if (unit.cycles_per_element.count(part.function) == 0) return part.function;
  return {};
}

void set_block(const NpuSpec& npu, std::int64_t m, std::int64_t n, std::int64_t k,
               const ArraySplit& split, GemmMapping& product) {
  product.contraction.dims = {{"K", k}};
  const precision::Arithmetic sums = product.unit.accumulator();
  product.ordered_k = precision::ordered_terms(
      array_plan(array_as(npu.mac_array, product.unit.a, sums.format), product.contraction, sums));
  product.plan = block_plan(npu, product, k);
  product.tile_m = m;
  product.tile_n = n;
  product.tile_k = product.ordered_k;
  product.split = split;
}

std::int64_t share_bytes(const GemmMapping& gemm, const TileExtents& tile) {
  return ceil_div(tile.m, gemm.split.m) * tile.n * gemm.accumulator_bytes;
}

std::string why_not_split(const NpuSpec& npu, const ArraySplit& split, std::int64_t groups,
                          std::int64_t rows) {
  if (split.parts() > npu.mac_array.arrays)
    return "a split in " + std::to_string(split.parts()) + " parts, and " +
           std::to_string(npu.mac_array.arrays) + " arrays";
  if (split.n > 1 || split.k > 1) return "arrays share groups and rows of attention only";
  if (split.groups > groups || split.m > rows)
    return "a split of " + describe(split) + " leaves parts of a block empty";
  return {};
}

std::string why_not_in_accumulators(const NpuSpec& npu, const std::string& what,
                                    std::int64_t bytes) {
  const std::int64_t half = npu.mac_array.accumulator.memory_bytes / 2;
  if (bytes <= half) return {};
  return "an array's " + what + " take " + std::to_string(bytes) +
         " bytes, half of accumulator memory has " + std::to_string(half) + " bytes";
}

std::string why_not_in_buffer(const ScratchpadSpec& scratchpad, std::int64_t bytes) {
  const std::int64_t buffer = scratchpad.bytes / scratchpad.buffers;
  if (bytes <= buffer) return {};
  return "a block takes " + std::to_string(bytes) + " bytes, a scratchpad buffer has " +
         std::to_string(buffer) + " bytes";
}

std::int64_t block_estimate(const NpuSpec& npu, const AttentionTotals& totals, std::int64_t edges,
                            std::int64_t softening) {
  const double rate = dma_bytes_per_cycle(npu);
  const auto transfer = [&](std::int64_t bytes) {
    return static_cast<std::int64_t>(std::ceil(static_cast<double>(bytes) / rate));
  };
  const std::int64_t moving = transfer(totals.total_bytes());
  const std::int64_t setup = npu.dram.latency_cycles + (npu.dma ? npu.dma->descriptor_cycles : 0);
  const std::int64_t held =
      totals.steps * setup + transfer(totals.read_bytes) + totals.array_cycles;
  const std::int64_t working = npu.scratchpad.buffers == 1
                                   ? totals.array_cycles + totals.vector_cycles
                                   : std::max(totals.array_cycles, totals.vector_cycles);
  return std::max({working, moving, ceil_div(held, npu.scratchpad.buffers)}) + transfer(edges) / 2 +
         softening + moving / 4;
}

std::string why_operands_differ(const NodeView& view, const std::vector<int>& inputs,
                                const std::vector<precision::Arithmetic>& storage) {
  const auto format = [&](int input) -> const precision::Format& {
    return storage[static_cast<std::size_t>(view.node().inputs[static_cast<std::size_t>(input)])]
        .format;
  };
  for (const int input : inputs)
    if (view.has_input(input) && format(input) != format(0))
      return "operands in " + format(0).name + " and " + format(input).name;
  return format(0).is_fixed_point() ? "weights between 0 and 1 in " + format(0).name : "";
}

}  // namespace npusim::npu
