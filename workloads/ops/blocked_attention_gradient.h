// SPDX-License-Identifier: Apache-2.0
// Backward pass of attention without the matrix of scores, from Q, K, V, the result O, its gradient
// dO and each row's L = m + log l (blocked_attention.h). For each group, each block of keys, each
// block of queries that sees some of them:
//   D  = sum(dO * O)          of each row, from 0 in order; at the first block of keys only
//   S  = mask(Q K^T * scale)  the product in the on-chip format first, as in the forward pass
//   P  = exp(S - L)
//   dP = dO V^T               in the on-chip format
//   dS = P * (dP - D)         times the derivative of the cap, if there is one
//   dV = dV + P^T dO, dK = dK + dS^T Q, dQ = dQ + dS K
//                             P and dS rounded to operands, products to the on-chip format
// from zeros, and dK * scale, dQ * scale at the end. Blocks of queries add up in dV and dK, blocks
// of keys in dQ. Each step of the vector unit rounds to the internal format, in which unfinished
// dQ may go through DRAM; the caller rounds the results to storage. (Dao 2023, FlashAttention-2,
// algorithm 2.)
#pragma once

#include <vector>

#include "workloads/online_softmax.h"
#include "workloads/ops/attention_heads.h"

namespace npusim::workloads {

/// By head, as HeadOperands; results and gradients (batch, heads, rows, value_depth), statistics
/// (batch, heads, rows).
struct GradientOperands {
  HeadOperands forward;
  std::vector<double> results, statistics, gradients;
};

struct AttentionGradients {
  std::vector<double> queries, keys, values;  ///< by head
};

AttentionGradients attention_gradients(Evaluation& evaluation,
                                       const AttentionGradientEngine& engine,
                                       const AttentionShape& shape,
                                       const GradientOperands& operands);

}  // namespace npusim::workloads
