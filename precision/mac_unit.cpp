// SPDX-License-Identifier: Apache-2.0
#include "precision/mac_unit.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace npusim::precision {
namespace {

/// Sums in binary64 with RNE are plain additions; all narrower ones go through an odd sum.
bool is_binary64(const Arithmetic& arithmetic) {
  return arithmetic.format.fraction_bits == 52 && arithmetic.format.exponent_bits == 11 &&
         arithmetic.format.bias == 1023 && arithmetic.rounding == Rounding::rne;
}

/// IEEE 754 §6.3: an exact zero sum of non-zero or opposite terms is +0, -0 when rounding down.
double zero_sum(double x, double y, Rounding rounding) {
  if (x == 0.0 && y == 0.0 && std::signbit(x) == std::signbit(y)) return x;
  return rounding == Rounding::rd ? -0.0 : 0.0;
}

double rounded_sum(double x, double y, const Arithmetic& arithmetic) {
  if (is_binary64(arithmetic)) return round_to(x + y, arithmetic);
  const double sum = odd_sum(x, y);
  if (sum == 0.0) return zero_sum(x, y, arithmetic.rounding);
  return round_to(sum, arithmetic);
}

/// Chains of std::fma: the one place where a product may be wider than binary64.
bool is_fma_chain(const MacUnit& unit) {
  return unit.stages.size() == 1 && !unit.product && is_binary64(unit.accumulator());
}

/// Products computed in binary64 are what the unit means: exact, or rounded there anyway.
bool products_hold(const MacUnit& unit) {
  if (is_fma_chain(unit) || (unit.product && is_binary64(*unit.product))) return true;
  const auto smallest = [](const Format& f) { return f.min_exponent() - f.fraction_bits; };
  return unit.a.precision() + unit.b.precision() <= 53 &&
         unit.a.max_exponent() + unit.b.max_exponent() + 2 <= 1024 &&
         smallest(unit.a) + smallest(unit.b) >= -1074;
}

double product_of(const MacUnit& unit, double a, double b) {
  return unit.product ? round_to(a * b, *unit.product) : a * b;
}

double tree_sum(const Stage& stage, std::vector<double> terms) {
  while (terms.size() > 1) {
    std::vector<double> next;
    for (std::size_t i = 0; i + 1 < terms.size(); i += 2)
      next.push_back(rounded_sum(terms[i], terms[i + 1], stage.arithmetic));
    if (terms.size() % 2 != 0) next.push_back(terms.back());
    terms = std::move(next);
  }
  return round_to(terms.front(), stage.arithmetic);
}

double chain_sum(const Stage& stage, const std::vector<double>& terms) {
  double sum = round_to(terms.front(), stage.arithmetic);
  for (std::size_t i = 1; i < terms.size(); ++i) sum = rounded_sum(sum, terms[i], stage.arithmetic);
  return sum;
}

/// Groups of stage.terms results become one each; a short last group is filled with +0.
std::vector<double> reduce_stage(const Stage& stage, std::vector<double> terms) {
  const auto group = static_cast<std::size_t>(stage.terms);
  terms.resize((terms.size() + group - 1) / group * group, 0.0);
  std::vector<double> sums;
  for (std::size_t i = 0; i < terms.size(); i += group) {
    const auto first = terms.begin() + static_cast<std::ptrdiff_t>(i);
    const std::vector<double> members(first, first + static_cast<std::ptrdiff_t>(group));
    sums.push_back(stage.combine == Combine::tree ? tree_sum(stage, members)
                                                  : chain_sum(stage, members));
  }
  return sums;
}

}  // namespace

bool holds_sums(const Arithmetic& arithmetic) {
  return arithmetic.format.precision() <= 51 || is_binary64(arithmetic);
}

std::int64_t MacUnit::block_terms() const {
  std::int64_t terms = 1;
  for (std::size_t i = 0; i + 1 < stages.size(); ++i) terms *= stages[i].terms;
  return terms;
}

void validate(const MacUnit& unit) {
  std::string broken;
  const auto rule = [&](bool holds, const std::string& text) {
    if (!holds) broken += (broken.empty() ? "" : "; ") + text;
  };
  rule(!unit.stages.empty(), "at least one stage (the accumulator) is needed");
  rule(products_hold(unit),
       "products of the operand formats must be exact in binary64 (at most 53 significand bits), "
       "unless the unit is one binary64 chain or rounds products to binary64 with rne");
  for (std::size_t i = 0; i < unit.stages.size(); ++i) {
    const Stage& stage = unit.stages[i];
    const bool last = i + 1 == unit.stages.size();
    const std::string where = "stage " + std::to_string(i);
    rule(holds_sums(stage.arithmetic),
         where + ": sums have at most 51 significand bits, or are binary64 with rne");
    rule(
        last ? stage.terms == 0 : stage.terms >= 2,
        where + (last ? ": the accumulator takes all terms (0)" : ": a group has 2 terms or more"));
    rule(!last || stage.combine == Combine::chain, where + ": the accumulator is a chain");
  }
  if (!broken.empty()) throw std::invalid_argument("MAC unit \"" + unit.name + "\": " + broken);
}

double mac_chain(const MacUnit& unit, const double* a, const double* b, std::int64_t n, double c) {
  if (is_fma_chain(unit)) {
    double sum = c;
    for (std::int64_t i = 0; i < n; ++i)
      sum = round_to(std::fma(a[i], b[i], sum), unit.accumulator());
    return sum;
  }
  std::vector<double> terms;
  terms.reserve(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) terms.push_back(product_of(unit, a[i], b[i]));
  for (std::size_t i = 0; i + 1 < unit.stages.size(); ++i)
    terms = reduce_stage(unit.stages[i], std::move(terms));
  double sum = c;
  for (const double term : terms) sum = rounded_sum(sum, term, unit.accumulator());
  return sum;
}

}  // namespace npusim::precision
