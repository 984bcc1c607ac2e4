// SPDX-License-Identifier: Apache-2.0
// Second model of units that add rounded sums: chains, pairwise trees and exact groups, and what is
// built from them. Groups cut short have +0 products.
#pragma once

#include <functional>
#include <utility>

#include "long_sum.h"
#include "unit_models.h"

namespace npusim::precision::model {

using Values = std::vector<double>;

/// fma after fma.
double fused_chain(const Rule& sum, const Values& a, const Values& b, double c);
double unfused_chain(const Rule& product, const Rule& sum, const Values& a, const Values& b,
                     double c);
/// Two exact products are the leaves of each lowest addition.
double fused_tree(const Rule& sum, const Values& a, const Values& b);
double product_tree(const Rule& product, const Rule& sum, const Values& a, const Values& b);
/// One rounding of the exact sum of all products.
double exact_group(const Rule& sum, const Values& a, const Values& b);
/// The products of a chain of std::fma in binary64, by MPFR.
double binary64_chain(const Dot& dot);
/// Every fma takes the next random word.
double stochastic_chain(const Rule& sum, const Dot& dot);

/// c = round(c + the sum of a group), group by group.
using Group = std::function<double(const Values& a, const Values& b)>;
double add_groups(const Rule& sum, std::size_t terms, const Group& group, const Dot& dot);
/// c = round(c + exact sum of `terms` products); stochastic roundings take a word each.
double exact_groups(const Rule& sum, std::size_t terms, const Dot& dot);

/// Subnormals of operands, and of c, read as zeros.
Dot flushed(Dot dot, const Float& operands);
Dot flushed_c(Dot dot);

/// VDPBF16PS and AMX's tile products, as in Intel's manual; BFDOT as in Arm's instruction pages.
double vdpbf16ps(const Dot& dot);
double amx(const Dot& dot, std::size_t tile_terms);
double bfdot(const Dot& dot);

/// Operands as sums of slices, each what is left, rounded; every pass sums its slices' products.
using Passes = std::vector<std::pair<int, int>>;
struct Slicing {
  Rule a, b;
  Passes passes;
};
using Accumulate = std::function<double(const Dot& dot)>;
double pass_after_pass(const Slicing& slicing, const Accumulate& accumulate, const Dot& dot);
double passes_of_a_term(const Slicing& slicing, const Accumulate& accumulate, const Dot& dot);

}  // namespace npusim::precision::model
