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
  const std::int64_t terms = precision::ordered_terms(plan);
  plan.chunks = find_organisation(array.organisation)->chunks(array, terms, accumulator);
  return plan;
}

}  // namespace npusim::npu
