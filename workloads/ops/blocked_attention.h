// SPDX-License-Identifier: Apache-2.0
// Attention by online softmax: softmax(Q K^T * scale + mask) V without the matrix of scores.
// For each block of queries, with m = -infinity, l = 0, O = 0 in each row, for each block of keys:
//   S  = Q K^T                              on the array, then in the on-chip format
//   S  = mask(S * scale)                    capped and masked as the op says
//   m' = max(m, max S)                      -infinity while all is masked: then P = 0 and a = 1
//   a  = exp(m - m'), P = exp(S - m')
//   l  = l * a + sum P                      the block's own sum first, key by key from 0
//   O  = O * a + P V                        P rounded to operands; P V as S
// and O / l at the end; for a backward pass also m + log l. Each step of the vector unit rounds to
// the internal format; the caller rounds the result to storage, once. (Milakov, Gimelshein 2018,
// algorithm 3; Dao et al. 2022, algorithm 1, with the division at the end as in Dao 2023.)
#pragma once

#include "workloads/online_softmax.h"
#include "workloads/ops/attention_heads.h"
#include "workloads/ops/broadcast.h"

namespace npusim::workloads {

/// `statistics` (may be nullptr): m + log l of each row, (batch, heads, rows).
void attend_in_blocks(Evaluation& evaluation, const OnlineSoftmaxEngine& engine,
                      const AttentionShape& shape, const HeadOperands& operands,
                      std::vector<double>* statistics);

/// exp of each, as the vector unit computes it, before it is rounded.
void exponentials(const VectorArithmetic& internal, double* x, std::int64_t count);

/// Scale, cap and masks of scores, as both ways of taking attention apply them.
class ScoreMask {
 public:
  ScoreMask(const Evaluation& evaluation, const AttentionShape& shape);
  double operator()(double score, std::int64_t batch, std::int64_t head, std::int64_t row,
                    std::int64_t column) const;
  bool caps() const { return cap_ != 0.0; }
  /// Derivative of the cap: 1 - tanh(score * scale / cap)^2.
  double slope_of_cap(double score) const;

 private:
  double tanh_of(double scaled) const;

  const AttentionShape& shape_;
  const VectorArithmetic& internal_;
  const Tensor* mask_;
  double scale_, cap_;
  BroadcastIndex from_;
};

}  // namespace npusim::workloads
