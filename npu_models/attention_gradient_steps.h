// SPDX-License-Identifier: Apache-2.0
// The backward pass of attention as a sequence of steps: for each set of groups that the arrays
// take together, each block of keys, each block of queries that sees some of them
// (blocked_attention_gradient.h has the arithmetic). A step is five products on the array and four
// pieces of work of the vector unit:
//   scores    queries x keys x depth
//   weights   queries x keys x value depth
//   again     of each score: mul (scale), add (minus the row's statistics), exp, add (minus the
//             row's dot), mul; with a cap 4 mul, add, div, exp more; an add where a causal mask
//             hides some, a compare or an add for a mask
//   values    keys x value depth x queries; an add of each to the running gradient
//   keys      keys x depth x queries; the same
//   queries   queries x depth x keys; the same
// At a block of queries' first step dO * O: mul, add of each of their elements; behind the last one
// of it, and of a block of keys, mul of its gradient (scale): commands of their own.
//
// DRAM: keys and values are read once, their gradients written once, the mask's part is read in
// every step. A block of queries that two steps in a row use stays on the chip (with one block, all
// the time of its groups). Else each of its turns reads queries, the results' gradients and the
// statistics, the first one results too, the others its dots, which the first has written; and its
// unfinished gradient leaves and comes back in between, in the internal format (spilled).
// Not modelled: the cost of reading queries, keys and what the vector unit wrote in both
// directions; buffers of a mask's part. Knows no SystemC.
#pragma once

#include <array>

#include "npu_models/attention_steps.h"

namespace npusim::npu {

std::int64_t query_bytes(const AttentionGradientMapping& gradient, const AttentionBlock& block);
std::int64_t result_bytes(const AttentionGradientMapping& gradient, const AttentionBlock& block);
std::int64_t result_gradient_bytes(const AttentionGradientMapping& gradient,
                                   const AttentionBlock& block);
std::int64_t statistics_bytes(const AttentionGradientMapping& gradient,
                              const AttentionBlock& block);
std::int64_t dots_bytes(const AttentionGradientMapping& gradient, const AttentionBlock& block);
std::int64_t key_bytes(const AttentionGradientMapping& gradient, const AttentionBlock& block);
std::int64_t value_bytes(const AttentionGradientMapping& gradient, const AttentionBlock& block);
/// Weights and gradients of scores, which the vector unit writes and the array reads.
std::int64_t soft_bytes(const AttentionGradientMapping& gradient, const AttentionBlock& block);
std::int64_t running_query_bytes(const AttentionGradientMapping& gradient,
                                 const AttentionBlock& block);
/// Of the gradients of keys and values.
std::int64_t running_key_bytes(const AttentionGradientMapping& gradient,
                               const AttentionBlock& block);
std::int64_t query_gradient_bytes(const AttentionGradientMapping& gradient,
                                  const AttentionBlock& block);
std::int64_t key_gradient_bytes(const AttentionGradientMapping& gradient,
                                const AttentionBlock& block);
std::int64_t value_gradient_bytes(const AttentionGradientMapping& gradient,
                                  const AttentionBlock& block);

/// The five products in the order of a step.
struct GradientProduct {
  const GemmMapping* gemm;
  TileExtents tile;
};
inline constexpr std::size_t kGradientProducts = 5;
std::array<GradientProduct, kGradientProducts> gradient_products(
    const AttentionGradientMapping& gradient, const AttentionBlock& block);

std::vector<workloads::VectorWork> recomputing_work(const AttentionGradientMapping& gradient,
                                                    const AttentionBlock& block);
/// Behind products 2 to 4: additions to what they belong to.
std::vector<workloads::VectorWork> adding_work(const AttentionGradientMapping& gradient,
                                               const AttentionBlock& block, std::size_t product);
std::vector<workloads::VectorWork> dots_work(const AttentionGradientMapping& gradient,
                                             const AttentionBlock& block);
std::vector<workloads::VectorWork> finishing_queries_work(const AttentionGradientMapping& gradient,
                                                          const AttentionBlock& block);
std::vector<workloads::VectorWork> finishing_keys_work(const AttentionGradientMapping& gradient,
                                                       const AttentionBlock& block);

/// How often each block of queries comes back from DRAM: not where it stays for its next step.
std::vector<std::int64_t> turns_again(const workloads::AttentionBlocks& blocks);

struct GradientStep {
  AttentionBlock block;  ///< `last` says nothing here
  std::int64_t group0 = 0, query_block = 0, key_block = 0;
  bool load_queries = true, last_of_queries = true;  ///< the step before or behind has the same
  bool load_keys = true, last_of_keys = true;
  bool starts_queries = true, ends_queries = true;  ///< first and last step of this block at all
  bool store_dots = false;                          ///< it starts and comes back
};
class GradientSteps {
 public:
  explicit GradientSteps(const AttentionGradientMapping& gradient);
  bool next(GradientStep& step);

 private:
  struct Place {
    std::int64_t group0 = 0, key_block = 0, query_block = 0;
  };
  /// First block of queries from `from` on that sees the block of keys; the number of them: none.
  std::int64_t seeing(std::int64_t from, std::int64_t key_block) const;
  Place behind(const Place& place) const;
  bool same_queries(const Place& x, const Place& y) const;

  const AttentionGradientMapping& gradient_;
  const std::vector<std::int64_t> again_;
  Place here_, before_{-1, 0, 0};
};

/// All steps together, in closed form.
struct GradientTotals : AttentionTotals {
  std::int64_t spilled_bytes = 0;  ///< of what is read and written, unfinished gradients
};
GradientTotals gradient_totals(const NpuSpec& npu, const AttentionGradientMapping& gradient);

/// In DRAM while the op runs: unfinished gradients and dots of the groups that run together.
std::int64_t gradient_workspace_bytes(const AttentionGradientMapping& gradient);

/// Multiplications of all five products, blocks left out not counted.
std::int64_t gradient_macs(const workloads::AttentionBlocks& blocks);

}  // namespace npusim::npu
