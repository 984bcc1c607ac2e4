// SPDX-License-Identifier: Apache-2.0
#include "precision/magnitude_bounds.h"

#include <algorithm>
#include <cmath>

namespace npusim::precision {
namespace {

constexpr int kUnbounded = 4096;

int log2_ceil(std::int64_t n) {
  int bits = 0;
  while ((std::int64_t{1} << bits) < n) ++bits;
  return bits;
}

int smallest_exponent(const Format& f) {
  return f.min_exponent() - f.fraction_bits;
}

bool product_is_exact(const Format& a, const Format& b, int scale_bits, int scale_exponents) {
  return a.precision() + b.precision() + scale_bits <= 53 &&
         a.max_exponent() + b.max_exponent() + 2 + scale_exponents <= 1024 &&
         smallest_exponent(a) + smallest_exponent(b) - scale_exponents >= -1074;
}

/// What is known of the terms that a stage combines, relative to 2^(exponent they are aligned by).
struct TermBounds {
  int above;  ///< |term| < 2^above
  int below;  ///< the term is a multiple of 2^-below
};

int scale_significand_bits(const MacUnit& unit) {
  if (!unit.scales) return 0;
  return multiplies_scales_in_fp32(unit) ? fp32().precision() : 2 * unit.scales->format.precision();
}

TermBounds product_bounds(const MacUnit& unit) {
  const Format& a = unit.a;
  const Format& b = unit.b;
  return {2, a.fraction_bits + b.fraction_bits};
}

/// Largest and smallest exponents of products: of use where terms are aligned by scales alone.
TermBounds absolute_product_bounds(const MacUnit& unit) {
  return {unit.a.max_exponent() + unit.b.max_exponent() + 2,
          -(smallest_exponent(unit.a) + smallest_exponent(unit.b))};
}

}  // namespace

const Format& sliced_format(const Format& operand, const Slices& slices, int slice) {
  return slices.empty() ? operand : slices[static_cast<std::size_t>(slice)].format;
}

bool multiplies_scales_in_fp32(const MacUnit& unit) {
  if (!unit.scales || unit.scales->after_stages < 1) return false;
  const auto before = static_cast<std::size_t>(unit.scales->after_stages) - 1;
  return before < unit.stages.size() && unit.stages[before].rounds;
}

bool scaled_sums_hold(const MacUnit& unit, const Format& sums) {
  return sums.precision() + scale_significand_bits(unit) <= 53;
}

bool products_hold(const MacUnit& unit) {
  if (is_fma_chain(unit) || (unit.product && is_binary64(*unit.product))) return true;
  if (unit.passes.order.empty()) {
    const bool scaled = unit.scales && unit.scales->after_stages == 0;
    const int scale_bits = scaled ? scale_significand_bits(unit) : 0;
    const int scale_range = scaled ? 2 * std::max(unit.scales->format.max_exponent() + 1,
                                                  -smallest_exponent(unit.scales->format))
                                   : 0;
    return product_is_exact(unit.a, unit.b, scale_bits, scale_range);
  }
  return std::all_of(unit.passes.order.begin(), unit.passes.order.end(), [&](const auto& pass) {
    return product_is_exact(sliced_format(unit.a, unit.slices_a, pass.first),
                            sliced_format(unit.b, unit.slices_b, pass.second), 0, 0);
  });
}

int sum_bits(const MacUnit& unit, std::size_t stage) {
  // Terms of the stage, if they come unrounded through `from` .. stage - 1.
  std::size_t from = stage;
  while (from > 0 && !unit.stages[from - 1].rounds) --from;
  const Stage& of = unit.stages[stage];
  TermBounds bounds = from == 0 && !unit.product ? product_bounds(unit) : TermBounds{1, kUnbounded};
  bool by_scale = of.combine == Combine::aligned && of.alignment.by == AlignBy::scale;
  for (std::size_t i = from; i < stage; ++i)
    by_scale = by_scale || unit.stages[i].combine == Combine::exact;
  if (by_scale && from == 0 && !unit.product) bounds = absolute_product_bounds(unit);
  for (std::size_t i = from; i < stage; ++i) {
    const Stage& inner = unit.stages[i];
    bounds.above += log2_ceil(inner.terms);
    if (inner.combine == Combine::aligned) bounds.below = inner.alignment.fraction_bits;
  }
  if (unit.scales && unit.scales->after_stages <= static_cast<int>(stage)) {
    bounds.above += 2;  // two scale significands below 2
    bounds.below += 2 * unit.scales->format.fraction_bits;
  }
  const std::int64_t joined = of.terms_of_step() + 1;
  if (of.combine == Combine::aligned) {
    if (of.alignment.by == AlignBy::value) bounds.above = 1;
    const int kept =
        std::max(of.alignment.fraction_bits, of.alignment.running_fraction_bits.value_or(0));
    return kept + std::max(bounds.above, 1) + log2_ceil(joined) + 1;
  }
  // An exact sum that is handed on: as wide as its terms reach.
  if (from == 0 && !unit.product && stage == 0) bounds = absolute_product_bounds(unit);
  if (bounds.below >= kUnbounded) return kUnbounded;
  return bounds.above + bounds.below + log2_ceil(joined) + scale_significand_bits(unit);
}

}  // namespace npusim::precision
