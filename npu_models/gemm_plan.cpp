// SPDX-License-Identifier: Apache-2.0
#include "npu_models/gemm_plan.h"

#include "npu_models/organisation.h"

namespace npusim::npu {
namespace {

int dim_index(const std::vector<precision::ReduceDim>& dims, const std::string& name) {
  for (std::size_t i = 0; i < dims.size(); ++i)
    if (dims[i].name == name) return static_cast<int>(i);
  return -1;
}

bool is_canonical(const std::vector<precision::KLoop>& order) {
  for (std::size_t i = 0; i < order.size(); ++i)
    if (order[i].dim != static_cast<int>(i) || order[i].block != 1) return false;
  return true;
}

std::vector<precision::KLoop> k_loops(const ReductionOrder& order,
                                      const workloads::Contraction& contraction) {
  const auto named = order.by_role.find(workloads::name_of(contraction.role));
  if (named == order.by_role.end()) return {};
  std::vector<precision::KLoop> loops;
  std::vector<bool> walked(contraction.dims.size(), false);
  for (const NamedKLoop& loop : named->second) {
    const int dim = dim_index(contraction.dims, loop.dim);
    if (dim < 0) continue;
    loops.push_back({dim, loop.block});
    if (loop.block == 1) walked[static_cast<std::size_t>(dim)] = true;
  }
  for (std::size_t i = 0; i < walked.size(); ++i)
    if (!walked[i]) loops.push_back({static_cast<int>(i), 1});
  return is_canonical(loops) ? std::vector<precision::KLoop>{} : loops;
}

}  // namespace

precision::ReductionPlan array_plan(const MacArraySpec& array,
                                    const workloads::Contraction& contraction,
                                    const precision::Arithmetic& accumulator) {
  precision::ReductionPlan plan;
  plan.dims = contraction.dims;
  plan.order = k_loops(array.order, contraction);
  if (!plan.order.empty()) plan.tail = array.order.tail;
  plan.bias = array.accumulator.bias;
  plan.chunks = find_organisation(array.organisation)->chunks(array, accumulator);
  // One chunk is a cut only where a bias stands in accumulator memory and the chunk is added to it.
  const bool joins_bias = contraction.bias_input >= 0 && plan.bias == precision::BiasEntry::preload;
  if (!joins_bias && !plan.chunks.empty() &&
      precision::ordered_terms(plan) <= plan.chunks.back().terms)
    plan.chunks.clear();
  return plan;
}

void cut_at_tiles(const MacArraySpec& array, std::int64_t tile_k,
                  const precision::Arithmetic& accumulator, precision::ReductionPlan& plan) {
  const Organisation& organisation = *find_organisation(array.organisation);
  const std::int64_t sums = array.partial_sums_per_output;
  std::int64_t block = tile_k;
  if (sums > 1) {
    const std::int64_t round = organisation.k_step(array) * sums;
    block = (tile_k + round - 1) / round * round;
    plan.deal = precision::Deal{sums, round / sums, block};
    plan.chunks.push_back({block / sums, precision::Chunk::Join::add, accumulator});
  }
  if (organisation.adds_k_tiles(array))
    plan.chunks.push_back({block, precision::Chunk::Join::add, accumulator});
}

}  // namespace npusim::npu
