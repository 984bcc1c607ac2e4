// SPDX-License-Identifier: Apache-2.0
// The arithmetic of one multiply-accumulate unit, as a value: how operands are read, how products
// are made, and the stages that add them up, innermost first. mac_chain.h defines what it means.
//
// A stage reduces `terms` results of the stage before it (stage 0: products, in `order`) to one;
// the last stage is the accumulator: it takes everything that is left and starts from the
// accumulator input c (or +0). A stage works in steps of `step` terms and carries a running value
// from one to the next. Groups cut short by the end of K are filled with +0 products.
//
// So a unit that shifts 8 products and c to their largest exponent and adds them as integers is one
// stage of aligned steps of 8; one that chains two such blocks and adds c at the end is an inner
// stage of 32 terms in steps of 16 before a chain; a matrix of chains that is collected in a wider
// accumulator memory is an inner chain before a chain.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "precision/rounding.h"

namespace npusim::precision {

/// How the terms of a step become one value.
enum class Combine {
  chain,    ///< step 1: r = round(r + term), term by term
  tree,     ///< one step: neighbours are added and rounded, an odd one out moves up unchanged
  aligned,  ///< shifted to the largest exponent, low bits dropped, added exactly as integers
  exact,    ///< added exactly, as in a Kulisch accumulator
};

/// Which exponent a term is aligned by.
enum class AlignBy {
  operands,  ///< not normalised: of a product, the sum of its operands' exponents (scales that join
             ///< at the products included); of an unrounded sum, the exponent it was aligned to
  value,     ///< normalised: floor(log2 |term|)
  scale,     ///< the exponents of the block scales alone, also of a sum that is zero
};

enum class Cut {
  truncate,  ///< the magnitude loses its low bits
  floor,     ///< toward minus infinity: two's complement loses its low bits
};

/// The shifter of an aligned step. The running value takes part with its normalised exponent, not
/// below that of the smallest normal number of the stage's format.
struct Alignment {
  int fraction_bits = 0;  ///< kept below the largest exponent
  Cut cut = Cut::truncate;
  AlignBy by = AlignBy::operands;
  std::optional<int> running_fraction_bits{};  ///< of the running value, when others than of terms
  std::optional<Cut> running_cut{};            ///< likewise
  std::optional<int> running_gap{};  ///< the running value is dropped where its exponent is lower
                                     ///< by more than this than the largest one
  std::optional<int> lowest_exponent{};  ///< terms are never shifted to an exponent below this

  bool operator==(const Alignment& other) const;
};

struct Stage {
  std::int64_t terms = 0;  ///< at least 2; 0 in the last stage only: all that is left
  Combine combine = Combine::chain;
  Arithmetic arithmetic;  ///< of each sum (chain, tree) or of each step's result
  /// Terms of a step (aligned, exact): divides terms. 0: all the terms in one step.
  std::int64_t step = 0;
  Alignment alignment{};          ///< aligned only
  bool rounds = true;             ///< false (aligned, exact, one step): hands on what it holds
  bool starts_from_zero = false;  ///< inner chain: the first term is added to +0, not stored

  std::int64_t terms_of_step() const;
};

/// Where the scales of block-scaled operands join.
struct BlockScales {
  std::int64_t block = 0;  ///< consecutive terms of K that share a scale
  Format format;           ///< of each scale
  int after_stages = 0;    ///< 0: at the products; 1: at the results of stage 0; ...
};

/// One operand as a sum of slices, taken off from the top: slice i is what remains of the value,
/// rounded by slices[i]; an infinite slice leaves nothing. Empty: the value itself.
using Slices = std::vector<Arithmetic>;

/// An operand pair that is multiplied in several passes, each a slice of A times a slice of B.
struct Passes {
  std::vector<std::pair<int, int>> order;  ///< (slice of A, slice of B); empty: one whole product
  bool innermost = false;  ///< true: all passes of a term follow each other; false: all terms of
                           ///< the innermost chunk of K, once for each pass

  std::int64_t count() const { return order.empty() ? 1 : static_cast<std::int64_t>(order.size()); }
};

struct MacUnit {
  std::string name;
  Format a;                           ///< format of the first operand
  Format b;                           ///< format of the second operand
  std::optional<Arithmetic> product;  ///< nullopt: exact
  std::vector<Stage> stages;          ///< at least one; the last is the accumulator
  std::vector<int> order{};  ///< permutation of each block of products: stage 0 sees order[0], ...;
                             ///< empty: as they come
  /// Operands or c below their smallest normal number are read as zeros (DAZ).
  bool flush_a = false, flush_b = false, flush_c = false;
  std::optional<Format> c{};  ///< format of c, when wider than the accumulator's
  std::optional<int>
      product_limit{};  ///< products of magnitude 2^product_limit or more are infinite
  std::optional<BlockScales> scales{};
  Slices slices_a{}, slices_b{};
  Passes passes{};
  Rounding input_rounding = Rounding::rne;  ///< how wider values are converted to a and b

  const Arithmetic& accumulator() const { return stages.back().arithmetic; }
  const Format& c_format() const { return c ? *c : accumulator().format; }
  /// Products that the unit takes at once: K advances in these steps.
  std::int64_t block_terms() const;
  /// True when some sum or product is rounded stochastically.
  bool is_stochastic() const;
};

/// Throws std::invalid_argument naming every violated rule. Widths: sums that are rounded have at
/// most 51 significand bits, or are binary64 with RNE; exact products need at most 53 bits and the
/// range of binary64, except in a lone binary64 chain, which is a chain of std::fma, and where the
/// product is rounded to binary64 with RNE; an aligned sum has at most 62 bits, 53 if handed on.
void validate(const MacUnit& unit);
/// True for what a sum can be rounded to: at most 51 significand bits, or binary64 with RNE.
bool holds_sums(const Arithmetic& arithmetic);
/// Sums in binary64 with RNE are the machine's own additions.
bool is_binary64(const Arithmetic& arithmetic);
/// A lone binary64 chain of exact products: the one unit whose products may be wider than binary64.
bool is_fma_chain(const MacUnit& unit);

}  // namespace npusim::precision
