// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/general_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "precision/aligned_sum.h"
#include "precision/kernels/dispatch.h"
#include "precision/magnitude_bounds.h"

namespace npusim::precision::kernels {
namespace {

/// Exponents of operands and scales: products of both stay far from binary64's ends.
bool is_moderate(const Format& f) {
  constexpr int kMost = 200;
  return f.max_exponent() <= kMost && f.min_exponent() - f.fraction_bits >= -kMost;
}

class Translation {
 public:
  Translation(const MacUnit& unit, const ReductionPlan& plan)
      : unit_(unit), plan_(plan), program_(std::make_unique<GeneralProgram>()) {}

  std::unique_ptr<GeneralProgram> run() {
    fits_ = unit_.stages.size() <= kMaxStages && plan_.chunks.size() <= kMaxChunks &&
            !is_fma_chain(unit_) && is_moderate(unit_.a) && is_moderate(unit_.b) &&
            (!unit_.scales || is_moderate(unit_.scales->format));
    if (!fits_) return nullptr;
    operands();
    for (std::size_t s = 0; s < unit_.stages.size(); ++s) stage(s);
    for (const Chunk& chunk : plan_.chunks)
      program_->chunk[program_->chunks++] = {static_cast<long>(chunk.terms),
                                             chunk.join == Chunk::Join::carry ? 1 : 0,
                                             arithmetic(chunk.arithmetic)};
    if (plan_.bias == BiasEntry::after) arithmetic(unit_.accumulator());
    return fits_ ? std::move(program_) : nullptr;
  }

 private:
  GeneralArithmetic arithmetic(const Arithmetic& of) {
    const auto result = general_arithmetic(of);
    fits_ = fits_ && result.has_value();
    return result.value_or(GeneralArithmetic{});
  }

  void operands() {
    GeneralProgram& p = *program_;
    if (unit_.product) {
      p.rounds_product = 1;
      p.product = arithmetic(*unit_.product);
      p.product_least_exponent = unit_.product->format.min_exponent();
    }
    p.product_limit = unit_.product_limit ? std::ldexp(1.0, *unit_.product_limit)
                                          : std::numeric_limits<double>::infinity();
    p.flush_c_below = unit_.flush_c ? unit_.c_format().min_normal() : 0.0;
    passes();
    p.block = static_cast<long>(unit_.block_terms());
    fits_ = fits_ && unit_.order.size() <= kMostOrder;
    if (!fits_) return;
    for (const int from : unit_.order) p.order[p.order_size++] = from;
    if (unit_.scales) {
      p.has_scales = 1;
      p.scales_after = unit_.scales->after_stages;
      p.fp32_scales = multiplies_scales_in_fp32(unit_) ? 1 : 0;
    }
  }

  void passes() {
    GeneralProgram& p = *program_;
    std::vector<std::pair<int, int>> order = unit_.passes.order;
    if (order.empty()) order.emplace_back(0, 0);
    fits_ = fits_ && order.size() <= kMostPasses && unit_.slices_a.size() <= kMostSlices &&
            unit_.slices_b.size() <= kMostSlices;
    if (!fits_) return;
    p.passes_innermost = unit_.passes.innermost ? 1 : 0;
    for (const auto& [a, b] : order) {
      p.a_slice[p.passes] = a;
      p.b_slice[p.passes++] = b;
    }
  }

  void stage(std::size_t index) {
    const Stage& from = unit_.stages[index];
    GeneralStage to{};
    to.terms = static_cast<long>(from.terms);
    to.step = static_cast<long>(from.terms_of_step());
    if (from.combine == Combine::tree) to.step = to.terms;
    to.combine = combine_of(from.combine);
    // What is handed on unrounded needs no arithmetic, but its format says how a running value is
    // decoded.
    to.rounds = from.rounds ? 1 : 0;
    if (from.rounds) to.arithmetic = arithmetic(from.arithmetic);
    to.starts_from_zero = from.starts_from_zero ? 1 : 0;
    to.least_exponent = from.arithmetic.format.min_exponent();
    alignment(from.alignment, to);
    const bool exact = from.combine == Combine::exact;
    to.plain_sum =
        exact && !from.rounds && index == 0 && !unit_.product && sum_bits(unit_, index) <= 53 ? 1
                                                                                              : 0;
    if (exact) to.arithmetic.lanes.mode = static_cast<int>(from.arithmetic.rounding);
    if (exact && to.step == 0) to.step = static_cast<long>(all_terms());
    if (exact && to.plain_sum == 0) digits(index, to);
    if (from.combine == Combine::aligned) {
      fits_ = fits_ && to.step <= kMostAligned;
      program_->needs_exponents = 1;
    }
    fits_ = fits_ && to.step >= 1 && to.step <= kMostTerms;
    program_->scratch += 3 * kDoubleLanes * std::max(1L, to.step);
    program_->stage[program_->stages++] = to;
  }

  /// Products of everything, where one step takes all.
  std::int64_t all_terms() const {
    const std::int64_t block = unit_.block_terms();
    const std::int64_t terms = (ordered_terms(plan_) + block - 1) / block * block;
    return std::max<std::int64_t>(1, terms * unit_.passes.count());
  }

  /// How an exact sum is held where a window below its largest term does not do: term by term, or
  /// in digits over its whole range.
  void digits(std::size_t index, GeneralStage& to) {
    const bool of_products = index == 0 && !unit_.scales;
    const Format& own = unit_.stages[index].arithmetic.format;
    int low = unit_.a.min_exponent() - unit_.a.fraction_bits + unit_.b.min_exponent() -
              unit_.b.fraction_bits;
    int high = unit_.a.max_exponent() + unit_.b.max_exponent() + 2;
    if (unit_.product) {
      low = unit_.product->format.min_exponent() - unit_.product->format.fraction_bits;
      high = unit_.product->format.max_exponent() + 1;
    }
    const bool runs = index + 1 == unit_.stages.size() || to.step != to.terms;
    for (const Format* format : {&own, &unit_.c_format()}) {
      if (!runs) break;
      low = std::min(low, format->min_exponent() - format->fraction_bits);
      high = std::max(high, format->max_exponent() + 1);
    }
    constexpr int kDigit = 32;
    constexpr int kSpare = 12;  // sums of up to 2^kSpare terms; a digit holds 2^20 times that
    const int limbs = (high + kSpare - low + kDigit - 1) / kDigit;
    const bool digits_fit = of_products && limbs <= kMostLimbs && to.step <= 1 << kSpare;
    if (digits_fit && to.step > kMostExactTerms) {
      to.limbs = limbs;
      to.lowest_limb = low;
    } else {
      fits_ = fits_ && to.step <= kMostExactTerms;
    }
  }

  static int combine_of(Combine combine) {
    switch (combine) {
      case Combine::chain:
        return kChainStage;
      case Combine::tree:
        return kTreeStage;
      case Combine::aligned:
        return kAlignedStage;
      case Combine::exact:
        return kExactStage;
    }
    return kChainStage;
  }

  static void alignment(const Alignment& from, GeneralStage& to) {
    to.align_by = from.by == AlignBy::operands ? kByOperands
                  : from.by == AlignBy::value  ? kByValue
                                               : kByScale;
    to.fraction_bits = from.fraction_bits;
    to.running_bits = from.running_fraction_bits.value_or(from.fraction_bits);
    to.floors = from.cut == Cut::floor ? 1 : 0;
    to.running_floors = from.running_cut.value_or(from.cut) == Cut::floor ? 1 : 0;
    to.gap = from.running_gap.value_or(-1);
    to.lowest = from.lowest_exponent ? *from.lowest_exponent : NPUSIM_NO_EXPONENT;
  }

  static constexpr long kMostTerms = kMostExactWindow;
  const MacUnit& unit_;
  const ReductionPlan& plan_;
  std::unique_ptr<GeneralProgram> program_;
  bool fits_ = true;
};

}  // namespace

std::unique_ptr<GeneralProgram> general_program(const MacUnit& unit, const ReductionPlan& plan) {
  return Translation(unit, plan).run();
}

}  // namespace npusim::precision::kernels
