// SPDX-License-Identifier: Apache-2.0
#include "npu_models/organisations/block_unit.h"

namespace npusim::npu {

std::int64_t block_pipeline_cycles(std::int64_t depth, std::int64_t latency_cycles) {
  std::int64_t levels = 0;
  while ((std::int64_t{1} << levels) < depth) ++levels;
  return 1 + levels + latency_cycles;
}

std::int64_t accesses_of(std::int64_t groups, std::int64_t passes, std::int64_t partial_sums,
                         bool resumes) {
  const std::int64_t each = partial_sums == 1 ? 2 * passes - 1 : 2 * passes + 1;
  return groups * (each + (resumes ? 1 : 0));
}

ReductionOrder channel_block_order(std::int64_t block) {
  ReductionOrder order;
  if (block == 1) return order;
  order.by_role["fprop"] = {{"C", block}, {"R", 1}, {"S", 1}, {"C", 1}};
  order.by_role["dgrad"] = {{"K", block}, {"R", 1}, {"S", 1}, {"K", 1}};
  order.tail = precision::Tail::pad;
  return order;
}

base::Diagnostic array_mistake(std::string pointer, std::string message, std::string allowed) {
  base::Diagnostic mistake;
  mistake.pointer = std::move(pointer);
  mistake.code = "illegal-combination";
  mistake.message = std::move(message);
  mistake.allowed = std::move(allowed);
  return mistake;
}

std::vector<base::Diagnostic> BlockUnit::check(const MacArraySpec& array) const {
  if (array.partial_sums_per_output > 1 &&
      array.accumulator.stage.combine != precision::Combine::chain) {
    // Rounds of partial sums that K does not fill add zeros, which must not cut the running value.
    return {array_mistake("/partial_sums_per_output",
                          "steps can be dealt to several sums of a chain only",
                          "1, or an accumulator that combines as a chain")};
  }
  std::int64_t terms = 1;
  for (const precision::Stage& stage : array.inner_stages) {
    if (stage.terms < 1 || terms > array.depth) break;
    // A group that is taken in steps keeps its running value between cycles.
    if (stage.step > 0 && stage.step < stage.terms && array.depth % (terms * stage.step) == 0 &&
        terms * stage.terms % array.depth == 0)
      return {};
    terms *= stage.terms;
  }
  // An accumulator that takes several terms a step may be chained within a cycle.
  const std::int64_t step = array.accumulator.stage.step;
  if (step > 0 ? array.depth % (terms * step) == 0 : terms == array.depth) return {};
  return {array_mistake("/inner_stages",
                        "the stages reduce " + std::to_string(terms) + " terms but depth is " +
                            std::to_string(array.depth),
                        "stages whose terms multiply to depth, or with the accumulator's step to a "
                        "divisor of it")};
}

}  // namespace npusim::npu
