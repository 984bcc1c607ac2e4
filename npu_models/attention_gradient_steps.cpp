// SPDX-License-Identifier: Apache-2.0
#include "npu_models/attention_gradient_steps.h"

#include <algorithm>
#include <tuple>

#include "npu_models/modules/vector_cost.h"

namespace npusim::npu {
namespace {

using workloads::VectorWork;

std::int64_t ordered(const GemmMapping& product, const precision::ReductionPlan& last, bool whole) {
  return whole ? product.ordered_k : precision::ordered_terms(last);
}

void add_to(std::map<std::string, std::int64_t>& sums, const std::vector<VectorWork>& work,
            std::int64_t times) {
  for (const VectorWork& part : work) sums[part.function] += part.elements * times;
}

}  // namespace

std::int64_t query_bytes(const AttentionGradientMapping& gradient, const AttentionBlock& block) {
  return block.groups * block.queries * gradient.blocks.shape.depth * gradient.operand_bytes;
}

std::int64_t result_bytes(const AttentionGradientMapping& gradient, const AttentionBlock& block) {
  return block.groups * block.queries * gradient.blocks.shape.value_depth * gradient.result_bytes;
}

std::int64_t result_gradient_bytes(const AttentionGradientMapping& gradient,
                                   const AttentionBlock& block) {
  return block.groups * block.queries * gradient.blocks.shape.value_depth * gradient.operand_bytes;
}

std::int64_t statistics_bytes(const AttentionGradientMapping& gradient,
                              const AttentionBlock& block) {
  return block.groups * block.queries * gradient.statistics_bytes;
}

std::int64_t dots_bytes(const AttentionGradientMapping& gradient, const AttentionBlock& block) {
  return block.groups * block.queries * gradient.internal_bytes;
}

std::int64_t key_bytes(const AttentionGradientMapping& gradient, const AttentionBlock& block) {
  return block.groups * block.keys * gradient.blocks.shape.depth * gradient.operand_bytes;
}

std::int64_t value_bytes(const AttentionGradientMapping& gradient, const AttentionBlock& block) {
  return block.groups * block.keys * gradient.blocks.shape.value_depth * gradient.operand_bytes;
}

std::int64_t soft_bytes(const AttentionGradientMapping& gradient, const AttentionBlock& block) {
  return 2 * block.groups * block.queries * block.keys * gradient.operand_bytes;
}

std::int64_t running_query_bytes(const AttentionGradientMapping& gradient,
                                 const AttentionBlock& block) {
  return block.groups * block.queries * gradient.blocks.shape.depth * gradient.internal_bytes;
}

std::int64_t running_key_bytes(const AttentionGradientMapping& gradient,
                               const AttentionBlock& block) {
  const workloads::AttentionShape& s = gradient.blocks.shape;
  return block.groups * block.keys * (s.depth + s.value_depth) * gradient.internal_bytes;
}

std::int64_t query_gradient_bytes(const AttentionGradientMapping& gradient,
                                  const AttentionBlock& block) {
  return block.groups * block.queries * gradient.blocks.shape.depth * gradient.query_gradient_bytes;
}

std::int64_t key_gradient_bytes(const AttentionGradientMapping& gradient,
                                const AttentionBlock& block) {
  return block.groups * block.keys * gradient.blocks.shape.depth * gradient.key_gradient_bytes;
}

std::int64_t value_gradient_bytes(const AttentionGradientMapping& gradient,
                                  const AttentionBlock& block) {
  return block.groups * block.keys * gradient.blocks.shape.value_depth *
         gradient.value_gradient_bytes;
}

std::array<GradientProduct, kGradientProducts> gradient_products(
    const AttentionGradientMapping& gradient, const AttentionBlock& block) {
  const workloads::AttentionShape& s = gradient.blocks.shape;
  const bool all_queries = block.queries == gradient.blocks.queries;
  const bool all_keys = block.keys == gradient.blocks.keys;
  const auto product = [&](const GemmMapping& gemm, std::int64_t m, std::int64_t n,
                           std::int64_t k) {
    return GradientProduct{&gemm, {block.groups, m, n, k, k}};
  };
  return {product(gradient.scores, block.queries, block.keys, gradient.scores.ordered_k),
          product(gradient.weights, block.queries, block.keys, gradient.weights.ordered_k),
          product(gradient.values, block.keys, s.value_depth,
                  ordered(gradient.values, gradient.last_queries, all_queries)),
          product(gradient.keys, block.keys, s.depth,
                  ordered(gradient.keys, gradient.last_queries, all_queries)),
          product(gradient.queries, block.queries, s.depth,
                  ordered(gradient.queries, gradient.last_keys, all_keys))};
}

std::vector<VectorWork> recomputing_work(const AttentionGradientMapping& gradient,
                                         const AttentionBlock& block) {
  const std::int64_t scores = block.groups * block.queries * block.keys;
  const bool capped = gradient.blocks.shape.softcap != 0.0;
  const AttentionMask& mask = gradient.mask;
  const bool added = mask.element_bytes > 0 && !mask.boolean;
  std::vector<VectorWork> work = {
      {"mul", (capped ? 5 : 2) * scores},
      {"add", ((capped ? 1 : 0) + (block.masked ? 1 : 0) + (added ? 1 : 0) + 2) * scores},
      {"exp", (capped ? 2 : 1) * scores}};
  if (capped) work.push_back({"div", scores});
  if (mask.boolean) work.push_back({"compare", scores});
  return work;
}

std::vector<VectorWork> adding_work(const AttentionGradientMapping& gradient,
                                    const AttentionBlock& block, std::size_t product) {
  const TileExtents tile = gradient_products(gradient, block)[product].tile;
  return {{"add", tile.groups * tile.m * tile.n}};
}

std::vector<VectorWork> dots_work(const AttentionGradientMapping& gradient,
                                  const AttentionBlock& block) {
  const std::int64_t elements = block.groups * block.queries * gradient.blocks.shape.value_depth;
  return {{"mul", elements}, {"add", elements}};
}

std::vector<VectorWork> finishing_queries_work(const AttentionGradientMapping& gradient,
                                               const AttentionBlock& block) {
  return {{"mul", block.groups * block.queries * gradient.blocks.shape.depth}};
}

std::vector<VectorWork> finishing_keys_work(const AttentionGradientMapping& gradient,
                                            const AttentionBlock& block) {
  return {{"mul", block.groups * block.keys * gradient.blocks.shape.depth}};
}

std::vector<std::int64_t> turns_again(const workloads::AttentionBlocks& blocks) {
  const std::int64_t queries = blocks.query_blocks(), keys = blocks.key_blocks();
  // First and last block of queries that sees each block of keys.
  std::vector<std::int64_t> first(static_cast<std::size_t>(keys)), last(first);
  std::vector<std::int64_t> again(static_cast<std::size_t>(queries));
  for (std::int64_t q = 0, seen = 0; q < queries; ++q)
    for (; seen < blocks.blocks_for(q); ++seen) first[static_cast<std::size_t>(seen)] = q;
  for (std::int64_t q = queries - 1, seen = 0; q >= 0; --q)
    for (; seen < blocks.blocks_for(q); ++seen) last[static_cast<std::size_t>(seen)] = q;
  for (std::int64_t q = 0; q < queries; ++q)
    again[static_cast<std::size_t>(q)] = blocks.blocks_for(q) - 1;
  for (std::size_t j = 1; j < first.size(); ++j)
    if (first[j] == last[j - 1]) --again[static_cast<std::size_t>(first[j])];
  return again;
}

GradientSteps::GradientSteps(const AttentionGradientMapping& gradient)
    : gradient_(gradient), again_(turns_again(gradient.blocks)) {}

std::int64_t GradientSteps::seeing(std::int64_t from, std::int64_t key_block) const {
  const workloads::AttentionBlocks& blocks = gradient_.blocks;
  while (from < blocks.query_blocks() && blocks.blocks_for(from) <= key_block) ++from;
  return from;
}

GradientSteps::Place GradientSteps::behind(const Place& place) const {
  Place next = place;
  next.query_block = seeing(place.query_block + 1, place.key_block);
  if (next.query_block < gradient_.blocks.query_blocks()) return next;
  if (++next.key_block == gradient_.blocks.key_blocks()) {
    next.key_block = 0;
    next.group0 += gradient_.scores.split.groups;
  }
  next.query_block = seeing(0, next.key_block);
  return next;
}

bool GradientSteps::same_queries(const Place& x, const Place& y) const {
  return x.group0 == y.group0 && x.query_block == y.query_block;
}

bool GradientSteps::next(GradientStep& step) {
  const workloads::AttentionBlocks& blocks = gradient_.blocks;
  if (here_.group0 >= blocks.shape.groups()) return false;
  const Place next = behind(here_);
  step = {};
  step.block.groups = std::min(gradient_.scores.split.groups, blocks.shape.groups() - here_.group0);
  step.block.queries = blocks.queries_in(here_.query_block);
  step.block.keys = blocks.keys_in(here_.key_block);
  step.block.masked = here_.key_block >= blocks.open_blocks(here_.query_block);
  step.group0 = here_.group0;
  step.query_block = here_.query_block;
  step.key_block = here_.key_block;
  step.starts_queries = here_.key_block == 0;
  step.ends_queries = here_.key_block == blocks.blocks_for(here_.query_block) - 1;
  step.store_dots = step.starts_queries && again_[static_cast<std::size_t>(here_.query_block)] > 0;
  step.load_queries = !same_queries(before_, here_);
  step.last_of_queries = !same_queries(here_, next);
  step.load_keys = before_.group0 != here_.group0 || before_.key_block != here_.key_block;
  step.last_of_keys = next.group0 != here_.group0 || next.key_block != here_.key_block;
  before_ = here_;
  here_ = next;
  return true;
}

GradientTotals gradient_totals(const NpuSpec& npu, const AttentionGradientMapping& gradient) {
  using Kind = std::tuple<std::int64_t, std::int64_t, std::int64_t, bool>;
  struct Cycles {
    std::int64_t array = 0, vector = 0;
  };
  std::map<Kind, Cycles> known;
  const workloads::AttentionBlocks& blocks = gradient.blocks;
  const std::vector<std::int64_t> again = turns_again(blocks);
  GradientTotals totals;
  const auto vector = [&](const std::vector<VectorWork>& work, std::int64_t times) {
    add_to(totals.work, work, times);
    totals.vector_cycles += times * model::VectorCost(npu.vector_unit, work).cycles(0, 1, 1);
  };
  const auto steps = [&](const AttentionBlock& block, std::int64_t times) {
    if (times == 0) return;
    std::vector<std::vector<VectorWork>> work = {recomputing_work(gradient, block)};
    for (std::size_t product = 2; product < kGradientProducts; ++product)
      work.push_back(adding_work(gradient, block, product));
    const auto [at, fresh] =
        known.emplace(Kind{block.groups, block.queries, block.keys, block.masked}, Cycles{});
    if (fresh) {
      for (const GradientProduct& product : gradient_products(gradient, block))
        at->second.array += product_cycles(npu, *product.gemm, product.tile);
      for (const std::vector<VectorWork>& part : work)
        at->second.vector += model::VectorCost(npu.vector_unit, part).cycles(0, 1, 1);
    }
    totals.steps += times;
    totals.array_cycles += times * at->second.array;
    totals.vector_cycles += times * at->second.vector;
    for (const std::vector<VectorWork>& part : work) add_to(totals.work, part, times);
    totals.read_bytes += times * mask_bytes(gradient.mask, blocks.shape, block);
  };
  const std::int64_t together = gradient.scores.split.groups;
  const std::int64_t all = blocks.shape.groups();
  for (const auto& [groups, times] :
       {std::pair{together, all / together}, std::pair{all % together, std::int64_t{1}}}) {
    if (groups == 0 || times == 0) continue;
    AttentionBlock block;
    block.groups = groups;
    for (std::int64_t q = 0; q < blocks.query_blocks(); ++q) {
      block.queries = blocks.queries_in(q);
      const std::int64_t run = blocks.blocks_for(q);
      const std::int64_t open = std::min(run, blocks.open_blocks(q));
      const auto kind = [&](std::int64_t key_block, bool masked, std::int64_t count) {
        block.keys = blocks.keys_in(key_block);
        block.masked = masked;
        steps(block, times * count);
      };
      // The last block may be shorter.
      kind(0, false, std::min(open, run - 1));
      kind(0, true, run - 1 - std::min(open, run - 1));
      kind(run - 1, open < run, 1);
      vector(dots_work(gradient, block), times);
      vector(finishing_queries_work(gradient, block), times);
      const std::int64_t turns = again[static_cast<std::size_t>(q)];
      totals.read_bytes += times * (result_bytes(gradient, block) +
                                    (1 + turns) * (query_bytes(gradient, block) +
                                                   result_gradient_bytes(gradient, block) +
                                                   statistics_bytes(gradient, block)));
      totals.write_bytes += times * query_gradient_bytes(gradient, block);
      if (turns == 0) continue;
      const std::int64_t spilled = times * turns * running_query_bytes(gradient, block);
      totals.read_bytes += spilled + times * turns * dots_bytes(gradient, block);
      totals.write_bytes += spilled + times * dots_bytes(gradient, block);
      totals.spilled_bytes += 2 * spilled;
    }
    for (const auto& [key_block, count] : {std::pair{std::int64_t{0}, blocks.key_blocks() - 1},
                                           std::pair{blocks.key_blocks() - 1, std::int64_t{1}}}) {
      block.keys = blocks.keys_in(key_block);
      if (count > 0) vector(finishing_keys_work(gradient, block), times * count);
      totals.read_bytes +=
          times * count * (key_bytes(gradient, block) + value_bytes(gradient, block));
      totals.write_bytes +=
          times * count *
          (key_gradient_bytes(gradient, block) + value_gradient_bytes(gradient, block));
    }
  }
  return totals;
}

std::int64_t gradient_workspace_bytes(const AttentionGradientMapping& gradient) {
  const std::vector<std::int64_t> again = turns_again(gradient.blocks);
  if (*std::max_element(again.begin(), again.end()) == 0) return 0;
  AttentionBlock all;
  all.groups = gradient.scores.split.groups;
  all.queries = gradient.blocks.shape.group_rows();
  return running_query_bytes(gradient, all) + dots_bytes(gradient, all);
}

std::int64_t gradient_macs(const workloads::AttentionBlocks& blocks) {
  const workloads::AttentionShape& s = blocks.shape;
  return blocks.macs() / (s.depth + s.value_depth) * (3 * s.depth + 2 * s.value_depth);
}

}  // namespace npusim::npu
