// SPDX-License-Identifier: Apache-2.0
#include "precision/mac_chain.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "precision/exact_sum.h"
#include "precision/magnitude_bounds.h"

namespace npusim::precision {
namespace {

/// IEEE 754 §6.3: an exact zero sum of non-zero or opposite terms is +0, -0 when rounding down.
double zero_sum(double x, double y, Rounding rounding) {
  if (x == 0.0 && y == 0.0 && std::signbit(x) == std::signbit(y)) return x;
  return rounding == Rounding::rd ? -0.0 : 0.0;
}

/// One product as the unit multiplies it.
struct Factor {
  std::int64_t index;
  double a, b;
  double a_scale, b_scale;
  const Format* a_format;
  const Format* b_format;
};

/// One evaluation: products in their final order, then stage by stage.
class MacEvaluation {
 public:
  MacEvaluation(const MacUnit& unit, const Operands& operands, RandomSequence& random,
                StepObserver* observer)
      : unit_(unit),
        operands_(operands),
        random_(random),
        observer_(observer),
        fp32_scales_(multiplies_scales_in_fp32(unit)) {
    make_factors();
  }

  double run(double c) {
    double running = unit_.flush_c ? without_subnormals(c, unit_.c_format()) : c;
    const std::size_t last = unit_.stages.size() - 1;
    const Stage& stage = unit_.stages[last];
    const auto total = static_cast<std::int64_t>(factors_.size());
    std::int64_t step = stage.terms_of_step();
    for (std::size_t i = 0; i < last; ++i) step *= unit_.stages[i].terms;
    if (step == 0) step = std::max<std::int64_t>(1, total);  // one exact sum of everything
    for (std::int64_t at = 0; at < total; at += step) {
      const std::vector<Term> terms = terms_of(last, at, std::min(step, total - at));
      running = combine(last, terms, &running).value;
    }
    return running;
  }

 private:
  void make_factors() {
    const std::int64_t block = unit_.block_terms();
    const std::int64_t padded = (operands_.n + block - 1) / block * block;
    std::vector<std::pair<int, int>> passes = unit_.passes.order;
    if (passes.empty()) passes.emplace_back(0, 0);
    factors_.reserve(static_cast<std::size_t>(padded) * passes.size());
    if (unit_.passes.innermost) {
      for (std::int64_t i = 0; i < padded; ++i)
        for (const auto& pass : passes) factors_.push_back(factor(i, pass));
    } else {
      for (const auto& pass : passes)
        for (std::int64_t i = 0; i < padded; ++i) factors_.push_back(factor(i, pass));
    }
    if (!unit_.order.empty()) permute();
  }

  Factor factor(std::int64_t i, const std::pair<int, int>& pass) const {
    const Format& a_format = sliced_format(unit_.a, unit_.slices_a, pass.first);
    const Format& b_format = sliced_format(unit_.b, unit_.slices_b, pass.second);
    Factor f{-1, 0.0, 0.0, 1.0, 1.0, &a_format, &b_format};
    if (i >= operands_.n) return f;
    f.index = i;
    const double a = unit_.flush_a ? without_subnormals(operands_.a[i], unit_.a) : operands_.a[i];
    const double b = unit_.flush_b ? without_subnormals(operands_.b[i], unit_.b) : operands_.b[i];
    f.a = slice_of(a, unit_.slices_a, pass.first);
    f.b = slice_of(b, unit_.slices_b, pass.second);
    if (operands_.a_scales != nullptr) f.a_scale = operands_.a_scales[i];
    if (operands_.b_scales != nullptr) f.b_scale = operands_.b_scales[i];
    return f;
  }

  void permute() {
    const std::size_t block = unit_.order.size();
    std::vector<Factor> permuted;
    permuted.reserve(factors_.size());
    for (std::size_t first = 0; first < factors_.size(); first += block)
      for (const int from : unit_.order)
        permuted.push_back(factors_[first + static_cast<std::size_t>(from)]);
    factors_ = std::move(permuted);
  }

  /// The terms of a stage that come from the factors [at, at + count).
  std::vector<Term> terms_of(std::size_t stage, std::int64_t at, std::int64_t count) {
    std::int64_t each = 1;  // factors behind one term
    for (std::size_t i = 0; i < stage; ++i) each *= unit_.stages[i].terms;
    std::vector<Term> terms;
    for (std::int64_t i = at; i < at + count; i += each)
      terms.push_back(stage == 0 ? product(static_cast<std::size_t>(i)) : group(stage - 1, i));
    return terms;
  }

  /// What stage s makes of the group that begins with factor `at`.
  Term group(std::size_t s, std::int64_t at) {
    const Stage& stage = unit_.stages[s];
    std::int64_t each = 1;
    for (std::size_t i = 0; i < s; ++i) each *= unit_.stages[i].terms;
    const std::int64_t step = stage.combine == Combine::tree ? stage.terms : stage.terms_of_step();
    Term result;
    double zero = 0.0;
    const double* running = stage.starts_from_zero ? &zero : nullptr;
    for (std::int64_t i = 0; i < stage.terms; i += step) {
      result = combine(s, terms_of(s, at + i * each, step * each), running);
      running = &result.value;
    }
    if (unit_.scales && unit_.scales->after_stages == static_cast<int>(s) + 1)
      join_scales(result, factors_[static_cast<std::size_t>(at)], false);
    return result;
  }

  Term product(std::size_t i) {
    const Factor& f = factors_[i];
    Term term;
    term.index = f.index;
    term.value = f.a * f.b;
    if (unit_.product_limit && std::fabs(term.value) >= std::ldexp(1.0, *unit_.product_limit))
      term.value = std::copysign(std::numeric_limits<double>::infinity(), term.value);
    if (unit_.product) {
      term.value = round_to(term.value, *unit_.product, random_for(*unit_.product));
      if (term.value != 0.0 && std::isfinite(term.value))
        term.exponent = exponent_of(term.value, unit_.product->format);
    } else if (term.value != 0.0 && std::isfinite(term.value)) {
      term.exponent = exponent_of(f.a, *f.a_format) + exponent_of(f.b, *f.b_format);
    }
    if (unit_.scales && unit_.scales->after_stages == 0) join_scales(term, f, true);
    return term;
  }

  void join_scales(Term& term, const Factor& f, bool in_exponent) const {
    const Format& format = unit_.scales->format;
    double scale = f.a_scale * f.b_scale;
    if (fp32_scales_) scale = round_to(scale, fp32(), Rounding::rne);
    term.value *= scale;
    term.scale_exponent = Term::kNone;
    if (scale == 0.0 || !std::isfinite(scale) || f.index < 0) return;
    term.scale_exponent = exponent_of(f.a_scale, format) + exponent_of(f.b_scale, format);
    if (in_exponent && term.exponent != Term::kNone) term.exponent += term.scale_exponent;
  }

  std::uint32_t random_for(const Arithmetic& arithmetic) {
    return arithmetic.rounding == Rounding::sr ? random_.take() : 0;
  }

  Term combine(std::size_t s, const std::vector<Term>& terms, const double* running) {
    const Stage& stage = unit_.stages[s];
    StepReport report{s, &terms, running, nullptr, 0.0, 0.0};
    Term result;
    AlignedSum aligned;
    switch (stage.combine) {
      case Combine::chain:
        report.exact =
            running != nullptr ? odd_sum(*running, terms.front().value) : terms.front().value;
        result.value = chain_step(stage, terms.front().value, running);
        break;
      case Combine::tree:
        result.value = report.exact = tree(stage, terms);
        break;
      case Combine::aligned:
        aligned = aligned_sum(stage.alignment, terms,
                              running != nullptr ? std::optional<double>(*running) : std::nullopt,
                              stage.arithmetic.format);
        report.aligned = &aligned;
        report.exact = aligned.value;
        result.value = rounded(stage, aligned.value);
        result.exponent = aligned.exponent;
        break;
      case Combine::exact:
        report.exact = exact(stage, terms, running);
        result.value = rounded(stage, report.exact);
        for (const Term& term : terms) result.exponent = std::max(result.exponent, term.exponent);
        break;
    }
    if (stage.rounds)
      result.exponent = result.value != 0.0 && std::isfinite(result.value)
                            ? exponent_of(result.value, stage.arithmetic.format)
                            : Term::kNone;
    report.result = result.value;
    if (observer_ != nullptr) observer_->step(report);
    return result;
  }

  double chain_step(const Stage& stage, double term, const double* running) {
    const std::uint32_t random = random_for(stage.arithmetic);
    if (running != nullptr) return rounded_sum(*running, term, stage.arithmetic, random);
    return round_to(term, stage.arithmetic, random);
  }

  double tree(const Stage& stage, const std::vector<Term>& terms) {
    std::vector<double> level;
    for (const Term& term : terms) level.push_back(term.value);
    while (level.size() > 1) {
      std::vector<double> next;
      for (std::size_t i = 0; i + 1 < level.size(); i += 2)
        next.push_back(
            rounded_sum(level[i], level[i + 1], stage.arithmetic, random_for(stage.arithmetic)));
      if (level.size() % 2 != 0) next.push_back(level.back());
      level = std::move(next);
    }
    return level.front();
  }

  double rounded(const Stage& stage, double sum) {
    if (!stage.rounds) return sum;
    return round_to(sum, stage.arithmetic, random_for(stage.arithmetic));
  }

  static double exact(const Stage& stage, const std::vector<Term>& terms, const double* running) {
    ExactSum sum;
    bool all_plus_zero = true;
    const auto add = [&](double x) {
      sum.add(x);
      all_plus_zero = all_plus_zero && x == 0.0 && !std::signbit(x);
    };
    for (const Term& term : terms) add(term.value);
    if (running != nullptr) add(*running);
    const double total = sum.rounded_to_odd();
    if (total == 0.0 && stage.arithmetic.rounding == Rounding::rd && !all_plus_zero) return -0.0;
    return total;
  }

  const MacUnit& unit_;
  const Operands& operands_;
  RandomSequence& random_;
  StepObserver* observer_;
  const bool fp32_scales_;
  std::vector<Factor> factors_;
};

}  // namespace

double rounded_sum(double x, double y, const Arithmetic& arithmetic, std::uint32_t random) {
  if (is_binary64(arithmetic)) return round_to(x + y, arithmetic);
  const double sum = odd_sum(x, y);
  if (sum == 0.0) return round_to(zero_sum(x, y, arithmetic.rounding), arithmetic);
  return round_to(sum, arithmetic, random);
}

double slice_of(double x, const Slices& slices, int slice) {
  if (slices.empty()) return x;
  double rest = x;
  double part = 0.0;
  for (int i = 0; i <= slice; ++i) {
    part = round_to(rest, slices[static_cast<std::size_t>(i)]);
    // An infinity or NaN is in the first slice, and only there.
    rest = std::isfinite(part) && std::isfinite(rest) ? rest - part : 0.0;
  }
  return part;
}

double mac_chain(const MacUnit& unit, const Operands& operands, double c, RandomSequence& random,
                 StepObserver* observer) {
  if (is_fma_chain(unit) && observer == nullptr) {
    double sum = c;
    const auto read = [](double x, bool flush, const Format& format) {
      return flush ? without_subnormals(x, format) : x;
    };
    if (unit.flush_c) sum = without_subnormals(c, unit.c_format());
    for (std::int64_t i = 0; i < operands.n; ++i)
      sum = round_to(std::fma(read(operands.a[i], unit.flush_a, unit.a),
                              read(operands.b[i], unit.flush_b, unit.b), sum),
                     unit.accumulator());
    return sum;
  }
  return MacEvaluation(unit, operands, random, observer).run(c);
}

double mac_chain(const MacUnit& unit, const double* a, const double* b, std::int64_t n, double c) {
  RandomSequence none;
  return mac_chain(unit, {a, b, n, nullptr, nullptr}, c, none);
}

}  // namespace npusim::precision
