// SPDX-License-Identifier: Apache-2.0
// mac_chain and PlannedSum::reduce for one row and a panel: the same recursion, with kDoubleLanes
// values where the scalar code has one. Included by kernel sources only.
#pragma once

#include "precision/kernels/exact_lanes.h"
#include "precision/kernels/general_arithmetic.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {

class GeneralSum {
 public:
  enum { kLanes = DoubleLane::kLanes, kMostTermSize = 3 * kLanes };

  GeneralSum(const GeneralProgram& program, const GeneralRow& in)
      : program_(program),
        in_(in),
        words_{in.key_low, in.key_high, 0},
        term_size_(program.needs_exponents != 0 || program.has_scales != 0 ? long{kMostTermSize}
                                                                           : long{kLanes}) {
    for (int s = 0; s < program.stages; ++s)
      stage_[s] = GeneralRounding(program.stage[s].arithmetic);
    for (int c = 0; c < program.chunks; ++c)
      chunk_[c] = GeneralRounding(program.chunk[c].arithmetic);
    if (program.rounds_product != 0) product_ = GeneralRounding(program.product);
    for (int s = 0; s <= program.stages; ++s)
      each_[s] = s == 0 ? 1 : each_[s - 1] * program.stage[s - 1].terms;
  }

  void run() {
    alignas(64) double sum[kLanes];
    if (in_.init != nullptr) copy(in_.init, sum);
    reduce(program_.chunks - 1, 0, in_.terms, in_.init != nullptr, sum);
    if (in_.after != nullptr) {
      alignas(64) double after[kLanes];
      copy(in_.after, after);
      stage_[program_.stages - 1].add(sum, after, words_);
    }
    copy(sum, in_.out);
  }

 private:
  using D = Vectors<DoubleLane>;
  using V = DoubleLane::Vector;
  using M = DoubleLane::Mask;
  enum { kWidth = DoubleLane::kWidth };

  /// A term of every lane: values, exponents, exponents of scales.
  struct Term {
    double* at;
    double* value() const { return at; }
    double* exponent() const { return at + kLanes; }
    double* scale() const { return at + 2 * kLanes; }
  };

  static void copy(const double* from, double* to) {
    for (int l = 0; l < kLanes; ++l) to[l] = from[l];
  }
  static void fill(double* to, double x) {
    for (int l = 0; l < kLanes; ++l) to[l] = x;
  }

  void reduce(int level, long begin, long end, bool has_init, double* out) {
    if (level < 0) {
      if (!has_init) fill(out, 0.0);
      return accumulate(begin, end - begin, out);
    }
    const GeneralChunk& chunk = program_.chunk[level];
    bool started = has_init;
    for (long at = begin; at < end; at += chunk.terms) {
      const long stop = at + chunk.terms < end ? at + chunk.terms : end;
      if (chunk.carry != 0) {
        reduce(level - 1, at, stop, started, out);
        if (stop < end) chunk_[level].round(out, words_);
      } else if (started) {
        alignas(64) double sum[kLanes];
        reduce(level - 1, at, stop, false, sum);
        chunk_[level].add(out, sum, words_);
      } else {
        reduce(level - 1, at, stop, false, out);
        chunk_[level].round(out, words_);
      }
      started = true;
    }
  }

  /// mac_chain over n terms from `begin` on.
  void accumulate(long begin, long n, double* running) {
    begin_ = begin;
    n_ = n;
    padded_ = (n + program_.block - 1) / program_.block * program_.block;
    for (int l = 0; l < kLanes; ++l)
      if (__builtin_fabs(running[l]) < program_.flush_c_below)
        running[l] = __builtin_copysign(0.0, running[l]);
    const int last = program_.stages - 1;
    const GeneralStage& stage = program_.stage[last];
    const long total = padded_ * program_.passes;
    long step = stage.step * each_[last];
    if (step == 0) step = total > 0 ? total : 1;
    alignas(64) double result[kMostTermSize];
    for (long at = 0; at < total; at += step) {
      const long count = step < total - at ? step : total - at;
      double* const terms = in_.scratch;
      const long made = terms_of(last, at, count, terms);
      if (stage.combine == kChainStage) {
        stage_[last].add(running, terms, words_);
        continue;
      }
      combine(last, terms, made, running, Term{result});
      copy(result, running);
    }
  }

  /// Terms of stage s from `count` factors; the number of them. Scratch goes on behind them.
  long terms_of(int s, long at, long count, double* terms) {
    const long each = each_[s];
    const long made = each == 1 ? count : count / each;
    for (long i = 0; i < made; ++i) {
      const Term term{terms + i * term_size_};
      if (s == 0)
        product(at + i, term);
      else
        group(s - 1, at + i * each, term, terms + made * term_size_);
    }
    return made;
  }

  /// What stage s makes of the group that begins with factor `at`.
  void group(int s, long at, const Term& result, double* scratch) {
    const GeneralStage& stage = program_.stage[s];
    alignas(64) double running[kLanes] = {};
    bool started = stage.starts_from_zero != 0;
    for (long i = 0; i < stage.terms; i += stage.step) {
      const long made = terms_of(s, at + i * each_[s], stage.step * each_[s], scratch);
      combine(s, scratch, made, started ? running : nullptr, result);
      copy(result.value(), running);
      started = true;
    }
    if (program_.has_scales != 0 && program_.scales_after == s + 1) join_scales(result, at, false);
  }

  struct Place {
    long term;  ///< within the row; negative: K does not fill it
    int pass;
  };
  Place place(long factor) const {
    if (program_.passes == 1 && program_.order_size == 0)
      return {factor < n_ ? begin_ + factor : -1, 0};
    if (program_.order_size != 0) {
      const long within = factor % program_.order_size;
      factor = factor - within + program_.order[within];
    }
    if (program_.passes == 1) return {factor < n_ ? begin_ + factor : -1, 0};
    const bool innermost = program_.passes_innermost != 0;
    const long i = innermost ? factor / program_.passes : factor % padded_;
    const long pass = innermost ? factor % program_.passes : factor / padded_;
    return {i < n_ ? begin_ + i : -1, static_cast<int>(pass)};
  }

  void product(long factor, const Term& term) {
    const Place at = place(factor);
    if (at.term >= 0) {
      multiply(at, term.value());
    } else {
      fill(term.value(), 0.0);
    }
    if (program_.rounds_product != 0) product_.round(term.value(), words_);
    if (program_.needs_exponents != 0) exponents_of_product(at, term);
    if (program_.has_scales != 0 && program_.scales_after == 0) join_scales(term, factor, true);
  }

  void multiply(const Place& at, double* value) const {
    const long in_a = program_.a_slice[at.pass] * in_.terms + at.term;
    const long in_b = (program_.b_slice[at.pass] * in_.terms + at.term) * kLanes;
    const V a = D::all(in_.a[in_a]);
    for (int l = 0; l < kLanes; l += kWidth) D::store(value + l, a * D::load(in_.panel + in_b + l));
    if (program_.product_limit == DoubleLane::kInfinity) return;
    const V limit = D::all(program_.product_limit);
    for (int l = 0; l < kLanes; l += kWidth) {
      const V x = D::load(value + l);
      D::store(value + l,
               D::magnitude(x) >= limit ? D::with_sign(D::all(DoubleLane::kInfinity), x) : x);
    }
  }

  void exponents_of_product(const Place& at, const Term& term) const {
    fill(term.scale(), 0.0);
    if (program_.rounds_product != 0 || at.term < 0)
      return exponents_of(term.value(), program_.product_least_exponent, term.exponent());
    const long in_a = program_.a_slice[at.pass] * in_.terms + at.term;
    const long in_b = (program_.b_slice[at.pass] * in_.terms + at.term) * kLanes;
    for (int l = 0; l < kLanes; l += kWidth) {
      const V x = D::load(term.value() + l);
      const V exponent = D::all(in_.a_exponents[in_a]) + D::load(in_.panel_exponents + in_b + l);
      const M plain = (D::magnitude(x) < DoubleLane::kInfinity) & (x != V{});
      D::store(term.exponent() + l, plain ? exponent : D::all(NPUSIM_NO_EXPONENT));
    }
  }

  void join_scales(const Term& term, long factor, bool in_exponent) const {
    const Place at = place(factor);
    fill(term.scale(), NPUSIM_NO_EXPONENT);
    if (at.term < 0) return;
    for (int l = 0; l < kLanes; l += kWidth) {
      const long in_b = at.term * kLanes + l;
      V scale = D::all(in_.a_scales[at.term]) * D::load(in_.panel_scales + in_b);
      if (program_.fp32_scales != 0) {
        typedef float Half __attribute__((vector_size(sizeof(V) / 2)));
        scale = __builtin_convertvector(__builtin_convertvector(scale, Half), V);
      }
      const V exponent =
          D::all(in_.a_scale_exponents[at.term]) + D::load(in_.panel_scale_exponents + in_b);
      D::store(term.value() + l, D::load(term.value() + l) * scale);
      const M plain = (D::magnitude(scale) < DoubleLane::kInfinity) & (scale != V{});
      const V before = D::load(term.exponent() + l);
      const M counts = plain & (before > D::all(NPUSIM_NO_EXPONENT / 2));
      if (in_exponent) D::store(term.exponent() + l, counts ? before + exponent : before);
      D::store(term.scale() + l, plain ? exponent : D::all(NPUSIM_NO_EXPONENT));
    }
  }

  /// One step. `running` may be nullptr; the result is not among its operands.
  void combine(int s, double* terms, long count, const double* running, const Term& result) {
    const GeneralStage& stage = program_.stage[s];
    double* const value = result.value();
    if (program_.needs_exponents != 0) fill(result.scale(), 0.0);
    switch (stage.combine) {
      case kChainStage:
        copy(running != nullptr ? running : terms, value);
        if (running != nullptr)
          stage_[s].add(value, terms, words_);
        else
          stage_[s].round(value, words_);
        break;
      case kTreeStage:
        tree(s, terms, count);
        copy(terms, value);
        break;
      case kAlignedStage:
        aligned_lanes(stage, terms, count, running, value, result.exponent());
        if (stage.rounds != 0) stage_[s].round(value, words_);
        break;
      default:
        exact_lanes(stage, terms, count, term_size_, running, value);
        if (program_.needs_exponents != 0) largest_exponent(terms, count, result.exponent());
        if (stage.rounds != 0) stage_[s].round(value, words_);
        break;
    }
    if (stage.rounds != 0 && program_.needs_exponents != 0)
      exponents_of(value, stage.least_exponent, result.exponent());
  }

  void largest_exponent(const double* terms, long count, double* to) const {
    for (int l = 0; l < kLanes; ++l) {
      double largest = NPUSIM_NO_EXPONENT;
      for (long i = 0; i < count; ++i) {
        const double exponent = terms[i * term_size_ + kLanes + l];
        largest = exponent > largest ? exponent : largest;
      }
      to[l] = largest;
    }
  }

  /// Level by level in place.
  void tree(int s, double* terms, long count) {
    while (count > 1) {
      for (long i = 0; i < count / 2; ++i) {
        double* const to = terms + i * term_size_;
        if (i != 0) copy(terms + 2 * i * term_size_, to);
        stage_[s].add(to, terms + (2 * i + 1) * term_size_, words_);
      }
      if (count % 2 != 0) copy(terms + (count - 1) * term_size_, terms + count / 2 * term_size_);
      count = count / 2 + count % 2;
    }
  }

  const GeneralProgram& program_;
  const GeneralRow& in_;
  GeneralWords words_;
  GeneralRounding stage_[kMaxStages];
  GeneralRounding chunk_[kMaxChunks];
  GeneralRounding product_;
  long term_size_;             ///< exponents and scales follow the values where they are needed
  long each_[kMaxStages + 1];  ///< factors behind one term of a stage
  long begin_ = 0, n_ = 0, padded_ = 0;
};

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
