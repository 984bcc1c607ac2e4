// SPDX-License-Identifier: Apache-2.0
// planned_dot for a few rows against a panel: PlannedSum::reduce and mac_chain, a block of lanes at
// a time. Included by kernel sources only.
#pragma once

#include "precision/kernels/block_sum.h"
#include "precision/kernels/stochastic_chain.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {

template <class T, class Rows>
class RowSum {
 public:
  using Real = typename T::Real;

  RowSum(const LaneProgram& program, const Rows& in)
      : program_(program), in_(in), aligned_(program.alignment.step != 0) {
    for (int s = 0; s < program.stages && program.stochastic == 0; ++s)
      stage_[s] = operations_of<T>(program.stage[s].arithmetic);
    for (int c = 0; c < program.chunks; ++c)
      if (program.chunk[c].wide != 0)
        wide_chunk_[c] = operations_of<DoubleLane>(program.chunk[c].arithmetic);
      else
        chunk_[c] = operations_of<T>(program.chunk[c].arithmetic);
    if (program.rounds_product != 0) product_ = operations_of<T>(program.product);
    for (int s = 0; s + 1 < program.stages; ++s) block_ *= program.stage[s].terms;
  }

  /// All rows, kRows at a time. False: see BlockSum.
  bool run() {
    const Rows all = in_;
    for (long row = 0; row < all.rows; row += kRows) {
      in_.rows = all.rows - row < kRows ? all.rows - row : long{kRows};
      in_.a = all.a + row * all.a_stride;
      if constexpr (sizeof(Real) == sizeof(float))
        if (aligned_) in_.a_powers = all.a_powers + row * all.a_stride;
      if constexpr (sizeof(Real) == sizeof(float)) {
        if (program_.stochastic != 0) {
          in_.key_low = all.key_low + row * T::kLanes;
          in_.key_high = all.key_high + row * T::kLanes;
        }
      }
      in_.out = all.out + row * all.out_stride;
      if (all.init != nullptr) in_.init = all.init + row * T::kLanes;
      if (all.after != nullptr) in_.after = all.after + row * T::kLanes;
      run_rows();
    }
    return in_range_;
  }

 private:
  void run_rows() {
    if constexpr (sizeof(Real) == sizeof(float))
      if (program_.stochastic != 0) return run_stochastic();
    if (program_.chunks == 0 && in_.after == nullptr && is_chain())
      return chain_of_products()(program_.stage[0].arithmetic, in_.a, in_.a_stride, in_.rows,
                                 in_.panel, in_.lanes, in_.terms, in_.init, in_.out,
                                 in_.out_stride);
    alignas(64) Real sums[kRows * T::kLanes];
    const long count = in_.rows * T::kLanes;
    if (in_.init != nullptr) copy(sums, in_.init, count);
    reduce(program_.chunks - 1, 0, in_.terms, in_.init != nullptr, sums);
    if (in_.after != nullptr) {
      alignas(64) Real after[kRows * T::kLanes];
      copy(after, in_.after, count);
      stage_[last()].add(program_.stage[last()].arithmetic, sums, after, count);
    }
    finish(sums);
  }

  /// No chunks, and no bias afterwards.
  void run_stochastic() {
    alignas(64) Real sums[kRows * T::kLanes] = {};
    if (in_.init != nullptr) copy(sums, in_.init, in_.rows * T::kLanes);
    in_range_ = StochasticChain(program_.stage[0].arithmetic).run(in_, sums) && in_range_;
    finish(sums);
  }

  int last() const { return program_.stages - 1; }

  static void copy(Real* to, const Real* from, long count) {
    for (long i = 0; i < count; ++i) to[i] = from[i];
  }

  /// Results to where they belong, every NaN the default one.
  void finish(const Real* sums) const {
    using L = Vectors<T>;
    for (long r = 0; r < in_.rows; ++r)
      for (int l = 0; l < T::kLanes; l += T::kWidth)
        L::store_anywhere(in_.out + r * in_.out_stride + l,
                          L::default_nan(L::load(sums + r * T::kLanes + l)));
  }

  bool is_chain() const { return program_.chain != 0; }
  Chain<Real> chain_of_products() const {
    if (program_.rounds_product == 0) return stage_[0].chain;
    const bool narrow = program_.carries_accumulator_values != 0;
    return narrow && stage_[0].narrow_chain != nullptr ? stage_[0].narrow_chain
                                                       : stage_[0].unfused_chain;
  }

  /// has_init says whether out comes in with running sums.
  void reduce(int level, long begin, long end, bool has_init, Real* out) {
    const long count = in_.rows * T::kLanes;
    if (level < 0) {
      for (long i = 0; i < count && !has_init; ++i) out[i] = 0;
      return accumulate(begin, end, out);
    }
    const LaneChunk& chunk = program_.chunk[level];
    bool started = has_init;
    for (long at = begin; at < end; at += chunk.terms) {
      const long stop = at + chunk.terms < end ? at + chunk.terms : end;
      if (chunk.carry == 0 && started) {
        alignas(64) Real sum[kRows * T::kLanes];
        reduce(level - 1, at, stop, false, sum);
        join(level, out, sum, count);
      } else {
        reduce(level - 1, at, stop, started, out);
        const bool is_cut =
            chunk.carry == 0 || stop < end;  // a carried sum is rounded between chunks
        if (is_cut) cut(level, out, count);
      }
      started = true;
    }
  }

  /// x = round(x + y) as the chunk does.
  void join(int level, Real* x, const Real* y, long count) const {
    const LaneChunk& chunk = program_.chunk[level];
    if (chunk.wide == 0) return chunk_[level].add(chunk.arithmetic, x, y, count);
    alignas(64) double wide[kRows * T::kLanes], other[kRows * T::kLanes];
    convert(x, wide, count);
    convert(y, other, count);
    wide_chunk_[level].add(chunk.arithmetic, wide, other, count);
    convert(wide, x, count);
  }
  void cut(int level, Real* x, long count) const {
    const LaneChunk& chunk = program_.chunk[level];
    if (chunk.wide == 0) return chunk_[level].round(chunk.arithmetic, x, count);
    alignas(64) double wide[kRows * T::kLanes];
    convert(x, wide, count);
    wide_chunk_[level].round(chunk.arithmetic, wide, count);
    convert(wide, x, count);
  }
  template <class From, class To>
  static void convert(const From* from, To* to, long count) {
    for (long i = 0; i < count; ++i) to[i] = static_cast<To>(from[i]);
  }

  /// The accumulator: blocks of terms one after the other.
  void accumulate(long begin, long end, Real* sums) {
    const LaneArithmetic& accumulator = program_.stage[last()].arithmetic;
    const Real* panel = in_.panel + begin * T::kLanes;
    if constexpr (sizeof(Real) == sizeof(float)) {
      if (aligned_) {
        const BlockSum blocks(program_.alignment);
        if (!blocks.run(in_.a + begin, in_.a_powers + begin, in_.a_stride, in_.rows, panel,
                        in_.panel_powers + begin * T::kLanes, in_.lanes, end - begin, sums))
          in_range_ = false;
        return;
      }
    }
    if (is_chain())
      return chain_of_products()(accumulator, in_.a + begin, in_.a_stride, in_.rows, panel,
                                 in_.lanes, end - begin, sums, sums, T::kLanes);
    alignas(64) Real term[T::kLanes];
    for (long row = 0; row < in_.rows; ++row) {
      for (long at = begin; at < end; at += block_) {
        group(last() - 1, in_.a + row * in_.a_stride, at, term);
        stage_[last()].add(accumulator, sums + row * T::kLanes, term, T::kLanes);
      }
    }
  }

  void product(const Real* a, long k, Real* out) const {
    const Real* b = in_.panel + k * T::kLanes;
    for (int l = 0; l < T::kLanes; ++l) out[l] = a[k] * b[l];
    if (program_.rounds_product != 0) product_.round(program_.product, out, T::kLanes);
  }

  /// The sum of the group of stage s that begins with term `at`.
  void group(int s, const Real* a, long at, Real* out) const {
    if (s < 0) return product(a, at, out);
    const LaneStage& stage = program_.stage[s];
    const bool of_products = s == 0 && program_.rounds_product == 0;
    const bool power_of_two = (stage.terms & (stage.terms - 1)) == 0;
    if (of_products && stage.tree != 0 && power_of_two && stage_[s].tree != nullptr)
      return stage_[s].tree(stage.arithmetic, a + at, in_.panel + at * T::kLanes, stage.terms, out);
    long step = 1;
    for (int inner = 0; inner < s; ++inner) step *= program_.stage[inner].terms;
    if (stage.tree != 0) return tree(s, a, at, step, out);
    group(s - 1, a, at, out);
    stage_[s].round(stage.arithmetic, out, T::kLanes);
    alignas(64) Real term[T::kLanes];
    for (long i = 1; i < stage.terms; ++i) {
      group(s - 1, a, at + i * step, term);
      stage_[s].add(stage.arithmetic, out, term, T::kLanes);
    }
  }

  /// Pairwise: level by level over a buffer of the group's members.
  void tree(int s, const Real* a, long at, long step, Real* out) const {
    const LaneStage& stage = program_.stage[s];
    alignas(64) Real members[kMaxGroup][T::kLanes];
    for (long i = 0; i < stage.terms; ++i) group(s - 1, a, at + i * step, members[i]);
    for (long count = stage.terms; count > 1; count = count / 2 + count % 2) {
      for (long i = 0; i < count / 2; ++i) {
        if (i != 0) copy(members[i], members[2 * i], T::kLanes);
        stage_[s].add(stage.arithmetic, members[i], members[2 * i + 1], T::kLanes);
      }
      if (count % 2 != 0 && count > 1) copy(members[count / 2], members[count - 1], T::kLanes);
    }
    copy(out, members[0], T::kLanes);
    stage_[s].round(stage.arithmetic, out, T::kLanes);
  }

  const LaneProgram& program_;
  Rows in_;  ///< the rows of one round
  bool aligned_;
  bool in_range_ = true;
  Operations<T> stage_[kMaxStages];  // as many as the program has
  Operations<T> chunk_[kMaxChunks];
  Operations<DoubleLane> wide_chunk_[kMaxChunks];  // where float lanes lack the arithmetic
  Operations<T> product_;
  long block_ = 1;
};

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
