// SPDX-License-Identifier: Apache-2.0
#include "npu_models/pe/pe_job.h"

namespace npusim::npu::pe {

std::string why_not(const MacArraySpec& array, const precision::MacUnit& unit) {
  const bool systolic = array.organisation == "systolic";
  if (!systolic && array.organisation != "cube" && array.organisation != "dot_product")
    return "organisation " + array.organisation +
           " has no model of its elements (systolic, cube and dot_product have)";
  if (!unit.passes.order.empty()) return "its operands are multiplied in slices";
  if (unit.scales) return "its operands have block scales";
  if (unit.is_stochastic()) return "its sums are rounded stochastically";
  const precision::Stage& last = unit.stages.back();
  if (last.combine != precision::Combine::chain && last.step == 0)
    return "its accumulator adds all of K in one step";
  if (systolic && unit.block_terms() != 1) return "its elements add groups of terms";
  return {};
}

}  // namespace npusim::npu::pe
