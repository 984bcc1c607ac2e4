// SPDX-License-Identifier: Apache-2.0
#include "precision/aligned_sum.h"

#include <algorithm>
#include <cmath>

namespace npusim::precision {
namespace {

int exponent_of(const Term& term, AlignBy by) {
  if (term.value == 0.0 && by == AlignBy::value) return Term::kNone;
  switch (by) {
    case AlignBy::operands:
      return term.exponent;
    case AlignBy::value:
      return std::ilogb(term.value);
    case AlignBy::scale:
      return term.scale_exponent;
  }
  return Term::kNone;
}

double cut(double integer_and_fraction, Cut how) {
  return how == Cut::truncate ? std::trunc(integer_and_fraction) : std::floor(integer_and_fraction);
}

/// The sum of what is not finite, or nothing when all is.
std::optional<double> special_sum(const std::vector<Term>& terms, std::optional<double> running) {
  double sum = 0.0;
  bool special = false;
  const auto look = [&](double x) {
    if (std::isfinite(x)) return;
    sum += x;
    special = true;
  };
  for (const Term& term : terms) look(term.value);
  if (running) look(*running);
  return special ? std::optional<double>(sum) : std::nullopt;
}

/// An integer of up to 63 bits rounded to odd at 53.
double odd_double(std::int64_t integer) {
  const auto magnitude = static_cast<std::uint64_t>(integer < 0 ? -integer : integer);
  int drop = 0;
  while ((magnitude >> drop) >> 53 != 0) ++drop;
  std::uint64_t kept = magnitude >> drop;
  if ((kept << drop) != magnitude) kept |= 1;
  const double value = std::ldexp(static_cast<double>(kept), drop);
  return integer < 0 ? -value : value;
}

}  // namespace

int exponent_of(double x, const Format& format) {
  return std::max(std::ilogb(x), format.min_exponent());
}

AlignedSum aligned_sum(const Alignment& alignment, const std::vector<Term>& terms,
                       std::optional<double> running, const Format& format) {
  AlignedSum result;
  if (const auto special = special_sum(terms, running)) {
    result.value = *special;
    return result;
  }
  int largest = alignment.lowest_exponent.value_or(Term::kNone);
  for (const Term& term : terms) largest = std::max(largest, exponent_of(term, alignment.by));
  const bool has_running = running && *running != 0.0;
  const int running_exponent = has_running ? exponent_of(*running, format) : Term::kNone;
  largest = std::max(largest, running_exponent);
  result.exponent = largest;
  if (largest == Term::kNone) return result;  // nothing but zeros

  const int bits = alignment.fraction_bits;
  const int running_bits = alignment.running_fraction_bits.value_or(bits);
  const int most = std::max(bits, running_bits);
  std::int64_t sum = 0;
  for (const Term& term : terms) {
    const double kept = cut(std::ldexp(term.value, bits - largest), alignment.cut);
    result.kept.push_back(std::ldexp(kept, largest - bits));
    sum += static_cast<std::int64_t>(kept) * (std::int64_t{1} << (most - bits));
  }
  if (running) {
    double kept = cut(std::ldexp(*running, running_bits - largest),
                      alignment.running_cut.value_or(alignment.cut));
    const bool dropped =
        alignment.running_gap && has_running && running_exponent < largest - *alignment.running_gap;
    if (dropped) kept = 0.0;
    result.kept.push_back(std::ldexp(kept, largest - running_bits));
    sum += static_cast<std::int64_t>(kept) * (std::int64_t{1} << (most - running_bits));
  }
  result.value = std::ldexp(odd_double(sum), largest - most);
  return result;
}

}  // namespace npusim::precision
