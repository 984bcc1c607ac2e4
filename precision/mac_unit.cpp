// SPDX-License-Identifier: Apache-2.0
#include "precision/mac_unit.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "precision/magnitude_bounds.h"

namespace npusim::precision {
namespace {

class Rules {
 public:
  void check(bool holds, const std::string& text) {
    if (!holds) broken_ += (broken_.empty() ? "" : "; ") + text;
  }
  /// A rule of precision/ itself that throws.
  template <class Value>
  void check_valid(const Value& value) {
    try {
      validate(value);
    } catch (const std::invalid_argument& error) {
      check(false, error.what());
    }
  }
  const std::string& broken() const { return broken_; }

 private:
  std::string broken_;
};

void check_product(const MacUnit& unit, Rules& rules) {
  rules.check(
      products_hold(unit),
      "products of the operand formats must be exact in binary64 (at most 53 significand "
      "bits), unless the unit is one binary64 chain or rounds products to binary64 with rne");
  if (unit.product) {
    rules.check_valid(*unit.product);
    rules.check(holds_sums(*unit.product),
                "products are rounded to at most 51 significand bits, or to binary64 with rne");
  }
}

void check_aligned(const Stage& stage, const std::string& where, Rules& rules) {
  const auto in_range = [](int bits) { return bits >= 1 && bits <= 50; };
  rules.check(in_range(stage.alignment.fraction_bits) &&
                  in_range(stage.alignment.running_fraction_bits.value_or(1)),
              where + ": an aligned sum keeps 1..50 fraction bits");
  rules.check(stage.alignment.running_gap.value_or(0) >= 0, where + ": running_gap is 0 or more");
}

void check_step(const Stage& stage, bool last, const std::string& where, Rules& rules) {
  const bool block = stage.combine == Combine::aligned || stage.combine == Combine::exact;
  rules.check(block || (stage.step == 0 && stage.rounds),
              where + ": only aligned and exact stages have a step and may hand on unrounded sums");
  rules.check(!stage.starts_from_zero || (stage.combine == Combine::chain && !last),
              where + ": only an inner chain starts from zero");
  if (!block) return;
  rules.check(stage.step >= 0 && (last || stage.step == 0 || stage.terms % stage.step == 0),
              where + ": a step divides the stage's terms");
  rules.check(!last || stage.combine == Combine::exact || stage.step >= 1,
              where + ": an aligned accumulator takes its terms in steps");
  rules.check(stage.rounds || (!last && stage.terms_of_step() == stage.terms),
              where + ": only an inner stage of one step hands on an unrounded sum");
}

void check_stage(const MacUnit& unit, std::size_t i, Rules& rules) {
  const Stage& stage = unit.stages[i];
  const bool last = i + 1 == unit.stages.size();
  const std::string where = "stage " + std::to_string(i);
  rules.check_valid(stage.arithmetic);
  rules.check(holds_sums(stage.arithmetic),
              where + ": sums have at most 51 significand bits, or are binary64 with rne");
  rules.check(!stage.arithmetic.format.is_scale(), where + ": a sum needs a signed format");
  rules.check(
      last ? stage.terms == 0 : stage.terms >= 2,
      where + (last ? ": the accumulator takes all terms (0)" : ": a group has 2 terms or more"));
  rules.check(!last || stage.combine != Combine::tree, where + ": the accumulator is no tree");
  check_step(stage, last, where, rules);
  if (stage.combine == Combine::aligned) check_aligned(stage, where, rules);
}

void check_widths(const MacUnit& unit, Rules& rules) {
  for (std::size_t i = 0; i < unit.stages.size(); ++i) {
    const Stage& stage = unit.stages[i];
    if (stage.combine != Combine::aligned && stage.rounds) continue;
    rules.check(sum_bits(unit, i) <= (stage.rounds ? 62 : 53),
                "stage " + std::to_string(i) + ": its unrounded sum needs " +
                    std::to_string(sum_bits(unit, i)) + " bits, at most " +
                    (stage.rounds ? "62" : "53 can be handed on"));
  }
}

void check_order(const MacUnit& unit, Rules& rules) {
  std::vector<int> sorted = unit.order;
  std::sort(sorted.begin(), sorted.end());
  bool permutation = true;
  for (std::size_t i = 0; i < sorted.size(); ++i)
    permutation = permutation && sorted[i] == static_cast<int>(i);
  rules.check(permutation, "order must hold each of 0..n-1 once");
  if (!unit.order.empty())
    rules.check(unit.block_terms() % static_cast<std::int64_t>(unit.order.size()) == 0,
                "order and stages must divide each other's block");
}

void check_scales(const MacUnit& unit, Rules& rules) {
  if (!unit.scales) return;
  const BlockScales& scales = *unit.scales;
  rules.check_valid(scales.format);
  rules.check(scales.block >= 1, "a block scale covers at least one term");
  rules.check(
      scales.after_stages >= 0 && scales.after_stages < static_cast<int>(unit.stages.size()),
      "block scales join at the products or behind an inner stage");
  rules.check(unit.order.empty() || scales.after_stages == 0,
              "scales that join behind a stage need terms in their own order");
  rules.check(unit.passes.order.empty(), "block-scaled operands are multiplied in one pass");
  rules.check(!unit.product, "block-scaled operands have exact products");
  std::int64_t group = 1;
  for (int i = 0; i < scales.after_stages && i + 1 < static_cast<int>(unit.stages.size()); ++i)
    group *= unit.stages[static_cast<std::size_t>(i)].terms;
  rules.check(scales.block < 1 || (group > 0 && scales.block % group == 0),
              "the terms that share a scale must be whole groups of the stage it joins behind");
  if (scales.after_stages <= 0 || scales.after_stages >= static_cast<int>(unit.stages.size()))
    return;
  const Stage& before = unit.stages[static_cast<std::size_t>(scales.after_stages) - 1];
  const Stage& after = unit.stages[static_cast<std::size_t>(scales.after_stages)];
  rules.check(!before.rounds || after.combine == Combine::chain,
              "scales that join rounded sums do so before a chain");
  rules.check(!before.rounds || scaled_sums_hold(unit, before.arithmetic.format),
              "a rounded sum times its scales has at most 53 significand bits");
}

void check_passes(const MacUnit& unit, Rules& rules) {
  for (const Slices* slices : {&unit.slices_a, &unit.slices_b})
    for (const Arithmetic& slice : *slices) {
      rules.check_valid(slice);
      rules.check(slice.rounding != Rounding::sr, "slices are cut deterministically");
    }
  rules.check(unit.passes.order.empty() == (unit.slices_a.empty() && unit.slices_b.empty()),
              "slices go with passes");
  for (const auto& [a, b] : unit.passes.order) {
    const auto known = [](int slice, const Slices& slices) {
      return slice >= 0 && slice < std::max(1, static_cast<int>(slices.size()));
    };
    rules.check(known(a, unit.slices_a) && known(b, unit.slices_b),
                "a pass names a slice that its operand does not have");
  }
}

}  // namespace

bool Alignment::operator==(const Alignment& other) const {
  return fraction_bits == other.fraction_bits && cut == other.cut && by == other.by &&
         running_fraction_bits == other.running_fraction_bits && running_cut == other.running_cut &&
         running_gap == other.running_gap && lowest_exponent == other.lowest_exponent;
}

bool is_binary64(const Arithmetic& arithmetic) {
  return arithmetic.format.fraction_bits == 52 && arithmetic.format.exponent_bits == 11 &&
         arithmetic.format.bias == 1023 && arithmetic.rounding == Rounding::rne;
}

bool is_fma_chain(const MacUnit& unit) {
  return unit.stages.size() == 1 && unit.stages.front().combine == Combine::chain &&
         !unit.product && !unit.product_limit && unit.passes.order.empty() && !unit.scales &&
         is_binary64(unit.accumulator());
}

bool holds_sums(const Arithmetic& arithmetic) {
  return arithmetic.format.precision() <= 51 || is_binary64(arithmetic);
}

std::int64_t Stage::terms_of_step() const {
  if (combine == Combine::chain) return 1;
  return step == 0 ? terms : step;
}

std::int64_t MacUnit::block_terms() const {
  std::int64_t terms = 1;
  for (std::size_t i = 0; i + 1 < stages.size(); ++i) terms *= stages[i].terms;
  if (!stages.empty()) terms *= std::max<std::int64_t>(1, stages.back().terms_of_step());
  const auto permuted = static_cast<std::int64_t>(order.size());
  return permuted > terms && permuted % terms == 0 ? permuted : terms;
}

bool MacUnit::is_stochastic() const {
  const auto stochastic = [](const Arithmetic& at) { return at.rounding == Rounding::sr; };
  return (product && stochastic(*product)) ||
         std::any_of(stages.begin(), stages.end(),
                     [&](const Stage& stage) { return stochastic(stage.arithmetic); });
}

void validate(const MacUnit& unit) {
  Rules rules;
  rules.check(!unit.stages.empty(), "at least one stage (the accumulator) is needed");
  for (const Format* operand : {&unit.a, &unit.b}) {
    rules.check_valid(*operand);
    rules.check(!operand->is_scale(), "operands need a signed format");
  }
  if (unit.c) rules.check_valid(*unit.c);
  if (!unit.stages.empty()) {
    check_product(unit, rules);
    for (std::size_t i = 0; i < unit.stages.size(); ++i) check_stage(unit, i, rules);
    check_order(unit, rules);
    check_scales(unit, rules);
    check_passes(unit, rules);
  }
  if (rules.broken().empty()) check_widths(unit, rules);
  if (!rules.broken().empty())
    throw std::invalid_argument("MAC unit \"" + unit.name + "\": " + rules.broken());
}

}  // namespace npusim::precision
