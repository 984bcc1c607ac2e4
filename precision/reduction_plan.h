// SPDX-License-Identifier: Apache-2.0
// How one op's sums are taken on one machine: the order of K, how K is cut, what happens at the
// cuts, and where the bias enters. A mapping emits it; it is the only thing numerics knows of the
// hardware.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "precision/mac_chain.h"

namespace npusim::precision {

/// One reduced dimension. The canonical K index is row-major over the dimensions, last fastest:
/// fprop (C, R, S), dgrad (K, R, S), wgrad (N, OH, OW), matrix product (K).
struct ReduceDim {
  std::string name;
  std::int64_t extent = 1;
};

/// One loop of the K order, outermost first. It walks `dim` in steps of `block` inside the block of
/// the next outer loop over the same dimension (the whole dimension when there is none). Every
/// dimension must end in a loop with block 1. NVDLA: {C,64} {R,1} {S,1} {C,1}.
struct KLoop {
  int dim = 0;  ///< index into dims
  std::int64_t block = 1;
};

/// What happens where a blocked dimension ends inside a block.
enum class Tail {
  pack,  ///< nothing: the next terms follow at once
  pad,   ///< the rest of the innermost block is filled with +0 terms
};

/// One way K is cut into chunks of consecutive terms (padding included).
struct Chunk {
  enum class Join {
    add,    ///< each chunk starts from +0 and its sum is added to the running sum, rounded to
            ///< `arithmetic`
    carry,  ///< the running sum goes on, rounded to `arithmetic` between chunks (a spill)
  };
  std::int64_t terms = 0;
  Join join = Join::add;
  Arithmetic arithmetic;
};

enum class BiasEntry {
  preload,  ///< the running sum starts from the bias (see bias_arithmetic)
  after,    ///< added to the finished sum, rounded to the accumulator's format
};

/// Partial sums of one output kept side by side: within each `block` ordered terms, groups of
/// `group` terms are dealt to `sums` running sums in turn (group i to sum i mod sums), so that an
/// addition need not wait for the one before. Each sum is one chunk of block / sums terms. The last
/// block and the last round of groups are filled with +0 terms.
struct Deal {
  std::int64_t sums = 2, group = 1, block = 2;
};

struct ReductionPlan {
  std::vector<ReduceDim> dims;
  std::vector<KLoop> order;  ///< empty: canonical
  Tail tail = Tail::pack;
  std::optional<Deal> deal{};  ///< applied to the order; the innermost chunk is one sum of a block
  std::vector<Chunk> chunks;   ///< innermost first; each size a multiple of the one before
  BiasEntry bias = BiasEntry::preload;

  std::int64_t terms() const;  ///< product of the extents
};

/// Throws std::invalid_argument naming every violated rule.
void validate(const ReductionPlan& plan, const MacUnit& unit);

/// How a bias enters the accumulator's format: rounded as a sum is, a stochastic unit's to nearest.
Arithmetic bias_arithmetic(const MacUnit& unit);

/// The canonical K index of each term in the order of summation; -1 is a padding term.
std::vector<std::int64_t> expand_order(const ReductionPlan& plan);
/// Length of expand_order without making it.
std::int64_t ordered_terms(const ReductionPlan& plan);

/// "C/64 R S C pad | 128 add fp32 | bias preload": readable, and equal only for equal plans.
std::string describe(const ReductionPlan& plan);

/// One sum under unit and plan: the scalar code that defines what the emulated GEMM computes.
/// a and b hold plan.terms() values in canonical order, and so do scales. bias may be nullptr (no
/// bias). Stochastic roundings take the words of `key` one after the other.
///   reduce(level, terms, init): at level -1 mac_chain from init (+0 without); at a level with
///   chunks, for each chunk in order — add: r = reduce(level-1, chunk, none), running =
///   round(running + r), the first chunk with no init is stored as round(r); carry: running =
///   reduce(level-1, chunk, running), rounded unless the chunk is the last: what is finished does
///   not spill.
/// The result is a value of the last rounding's format (accumulator or outermost added chunk).
double planned_dot(const MacUnit& unit, const ReductionPlan& plan, const Operands& operands,
                   const double* bias, RandomKey key = {});
/// Units without scales.
double planned_dot(const MacUnit& unit, const ReductionPlan& plan, const double* a, const double* b,
                   const double* bias);

}  // namespace npusim::precision
