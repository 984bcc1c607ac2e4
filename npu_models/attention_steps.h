// SPDX-License-Identifier: Apache-2.0
// Attention by online softmax as a sequence of steps: for each set of groups that the arrays take
// together, each block of queries, each block of keys that it sees. A step is two products on the
// array and two pieces of work of the vector unit (blocked_attention.h has the arithmetic):
//   scores    queries x keys x depth
//   softening of each score: mul (scale), max, add (minus the maximum), exp, add (sum); with a cap
//             div, exp, mul; an add where a causal mask hides some, a compare or an add for a mask;
//             of each row: max, add, exp (rescaling), mul, add (running sum)
//   context   queries x value depth x keys
//   update    of each output: mul (rescaling), add; behind the last block div, and of each row
//   whose
//             statistics a backward pass reads log, add
// The first block of keys takes the same work as the others, from zeros.
//
// DRAM: queries are read once, outputs and statistics written once; keys, values and the mask's
// part are read in every step, keys and values not when the step before had the same. Knows no
// SystemC.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "npu_models/mapping.h"

namespace npusim::npu {

/// What the cost of a step depends on.
struct AttentionBlock {
  std::int64_t groups = 1, queries = 1, keys = 1;
  bool masked = false;  ///< a causal mask hides some of its scores
  bool last = false;    ///< the last of its block of queries
};

TileExtents scores_tile(const AttentionMapping& attention, const AttentionBlock& block);
TileExtents context_tile(const AttentionMapping& attention, const AttentionBlock& block);
std::vector<workloads::VectorWork> softening_work(const AttentionMapping& attention,
                                                  const AttentionBlock& block);
std::vector<workloads::VectorWork> update_work(const AttentionMapping& attention,
                                               const AttentionBlock& block);
std::int64_t query_bytes(const AttentionMapping& attention, const AttentionBlock& block);
std::int64_t key_bytes(const AttentionMapping& attention, const AttentionBlock& block);
std::int64_t value_bytes(const AttentionMapping& attention, const AttentionBlock& block);
std::int64_t mask_bytes(const AttentionMapping& attention, const AttentionBlock& block);
std::int64_t mask_bytes(const AttentionMask& mask, const workloads::AttentionShape& shape,
                        const AttentionBlock& block);
std::int64_t result_bytes(const AttentionMapping& attention, const AttentionBlock& block);
std::int64_t statistics_bytes(const AttentionMapping& attention, const AttentionBlock& block);
/// The weights, which the vector unit writes and the array reads.
std::int64_t weight_bytes(const AttentionMapping& attention, const AttentionBlock& block);
/// A running output with the maximum and the sum of each row.
std::int64_t running_bytes(const AttentionMapping& attention, const AttentionBlock& block);

/// One step after the other.
struct AttentionStep {
  AttentionBlock block;
  std::int64_t group0 = 0, query_block = 0, key_block = 0;
  bool load_keys = true, last_of_keys = true;  ///< keys and values; the next step uses others

  bool first() const { return key_block == 0; }
};
class AttentionSteps {
 public:
  explicit AttentionSteps(const AttentionMapping& attention);
  bool next(AttentionStep& step);

 private:
  bool advance();
  AttentionBlock block_here() const;

  const AttentionMapping& attention_;
  std::int64_t group0_ = 0, query_block_ = 0, key_block_ = 0;
  std::int64_t run_;  ///< blocks of keys of the present block of queries
  std::int64_t last_group0_ = -1, last_key_block_ = -1;
  bool more_ = true;
};

/// All steps together, in closed form.
struct AttentionTotals {
  std::int64_t steps = 0;
  std::int64_t array_cycles = 0;
  std::int64_t vector_cycles = 0;
  std::int64_t read_bytes = 0, write_bytes = 0;
  std::map<std::string, std::int64_t> work;  ///< elements by function of the vector unit

  std::int64_t total_bytes() const { return read_bytes + write_bytes; }
};
AttentionTotals attention_totals(const NpuSpec& npu, const AttentionMapping& attention);

/// Of one product of a block on the arrays: the largest share of it.
std::int64_t product_cycles(const NpuSpec& npu, const GemmMapping& gemm, const TileExtents& tile);

}  // namespace npusim::npu
