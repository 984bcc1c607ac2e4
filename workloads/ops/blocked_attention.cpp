// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/blocked_attention.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "workloads/detmath.h"

namespace npusim::workloads {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

/// What a row carries from one block of keys to the next.
struct RunningRow {
  double max = kNever;
  double sum = 0.0;
  double rescale = 1.0;  ///< of this block
};

/// One block of queries of one group.
class QueryBlock {
 public:
  QueryBlock(Evaluation& e, const OnlineSoftmaxEngine& engine, const AttentionBlocks& blocks,
             const ScoreMask& mask, std::int64_t group, std::int64_t block,
             std::vector<double>* statistics)
      : e_(e),
        engine_(engine),
        blocks_(blocks),
        s_(blocks.shape),
        mask_(mask),
        statistics_(statistics),
        group_(group),
        block_(block),
        first_(block * blocks.queries),
        count_(blocks.queries_in(block)),
        rows_(at(count_)),
        context_(at(count_ * s_.value_depth), 0.0) {}

  void run(const double* queries, const double* keys, const double* values) {
    const double* const q = queries + first_ * s_.depth;
    for (std::int64_t j = 0; j < blocks_.blocks_for(block_); ++j) {
      const std::int64_t key = j * blocks_.keys;
      const std::int64_t width = blocks_.keys_in(j);
      std::vector<double> weights(at(count_ * width));
      precision::MatrixOutput scores(weights.data(), width);
      engine_.scores(precision::MatrixRows(q, count_, s_.depth, s_.depth, 1),
                     precision::MatrixRows(keys + key * s_.depth, width, s_.depth, s_.depth, 1),
                     scores);
      e_.parallel(count_, [&](std::int64_t row) {
        soften(weights.data() + row * width, key, width, row, rows_[at(row)]);
      });
      std::vector<double> product(context_.size());
      precision::MatrixOutput out(product.data(), s_.value_depth);
      engine_.context(width, precision::MatrixRows(weights.data(), count_, width, width, 1),
                      precision::MatrixRows(values + key * s_.value_depth, s_.value_depth, width, 1,
                                            s_.value_depth),
                      out);
      accumulate(product);
    }
    store();
  }

 private:
  /// Scores become operands; the row's maximum, sum and rescaling move on.
  void soften(double* scores, std::int64_t key, std::int64_t width, std::int64_t row,
              RunningRow& running) const {
    const std::int64_t stacked = first_ + row;
    const std::int64_t head = group_ % s_.kv_heads * (s_.heads / s_.kv_heads) + stacked / s_.rows;
    double max = running.max;
    for (std::int64_t i = 0; i < width; ++i) {
      scores[i] = mask_(engine_.on_chip()(scores[i]), group_ / s_.kv_heads, head, stacked % s_.rows,
                        key + i);
      // A NaN stays: no later score is larger.
      if (scores[i] != scores[i] || scores[i] > max) max = scores[i];
    }
    if (max == kNever) {
      running.rescale = 1.0;
      std::fill(scores, scores + width, 0.0);
      return;
    }
    const VectorArithmetic& internal = e_.internal;
    running.rescale =
        running.max == kNever ? 0.0 : internal(internal.exp(internal(running.max - max)));
    for (std::int64_t i = 0; i < width; ++i) scores[i] = internal(scores[i] - max);
    exponentials(internal, scores, width);
    double sum = 0.0;
    for (std::int64_t i = 0; i < width; ++i) {
      const double weight = internal(scores[i]);
      sum = internal(sum + weight);
      scores[i] = engine_.operand()(weight);
    }
    running.max = max;
    running.sum = internal(internal(running.sum * running.rescale) + sum);
  }

  void accumulate(const std::vector<double>& product) {
    e_.parallel(count_, [&](std::int64_t row) {
      const double rescale = rows_[at(row)].rescale;
      for (std::int64_t i = row * s_.value_depth; i < (row + 1) * s_.value_depth; ++i)
        context_[at(i)] =
            e_.internal(e_.internal(context_[at(i)] * rescale) + engine_.on_chip()(product[at(i)]));
    });
  }

  void store() const {
    const std::int64_t share = s_.heads / s_.kv_heads;
    for (std::int64_t row = 0; row < count_; ++row) {
      if (statistics_ != nullptr)
        (*statistics_)[at(group_ * s_.group_rows() + first_ + row)] =
            e_.internal(rows_[at(row)].max + e_.internal(e_.internal.log(rows_[at(row)].sum)));
      const std::int64_t batch = group_ / s_.kv_heads;
      const std::int64_t head = group_ % s_.kv_heads * share + (first_ + row) / s_.rows;
      const std::int64_t query = (first_ + row) % s_.rows;
      const std::int64_t to = s_.packed ? (batch * s_.rows + query) * s_.heads + head
                                        : (batch * s_.heads + head) * s_.rows + query;
      for (std::int64_t i = 0; i < s_.value_depth; ++i)
        e_.outputs[0].values[at(to * s_.value_depth + i)] = e_.internal(
            e_.internal.divide(context_[at(row * s_.value_depth + i)], rows_[at(row)].sum));
    }
  }

  Evaluation& e_;
  const OnlineSoftmaxEngine& engine_;
  const AttentionBlocks& blocks_;
  const AttentionShape& s_;
  const ScoreMask& mask_;
  std::vector<double>* const statistics_;
  std::int64_t group_, block_, first_, count_;
  std::vector<RunningRow> rows_;
  std::vector<double> context_;
};

}  // namespace

void exponentials(const VectorArithmetic& internal, double* x, std::int64_t count) {
  if (!internal.approximates(Elementary::exp)) return det_exp(x, x, static_cast<int>(count));
  for (std::int64_t i = 0; i < count; ++i) x[i] = internal.exp(x[i]);
}

ScoreMask::ScoreMask(const Evaluation& e, const AttentionShape& shape)
    : shape_(shape),
      internal_(e.internal),
      mask_(e.inputs.size() > 3 ? e.inputs[3] : nullptr),
      scale_(e.internal(shape.scale)),
      cap_(e.internal(shape.softcap)),
      from_(mask_ == nullptr ? Shape{} : mask_->shape,
            {shape.batch, shape.heads, shape.rows, shape.columns}) {}

double ScoreMask::operator()(double score, std::int64_t batch, std::int64_t head, std::int64_t row,
                             std::int64_t column) const {
  score = internal_(score * scale_);
  if (caps()) score = internal_(cap_ * tanh_of(score));
  if (shape_.causal && column > row + shape_.past) score = kNever;
  if (mask_ == nullptr) return score;
  const std::int64_t i =
      ((batch * shape_.heads + head) * shape_.rows + row) * shape_.columns + column;
  const double value = mask_->values[at(from_(i))];
  if (mask_->type == ElementType::boolean) return value != 0.0 ? score : kNever;
  return internal_(score + value);
}

double ScoreMask::tanh_of(double scaled) const {
  return internal_(internal_.tanh(internal_(scaled / cap_)));
}

double ScoreMask::slope_of_cap(double score) const {
  const double tanh = tanh_of(internal_(score * scale_));
  return internal_(1.0 - internal_(tanh * tanh));
}

void attend_in_blocks(Evaluation& e, const OnlineSoftmaxEngine& engine, const AttentionShape& s,
                      const HeadOperands& operands, std::vector<double>* statistics) {
  const AttentionBlocks blocks = engine.blocks(s);
  const ScoreMask mask(e, s);
  for (std::int64_t group = 0; group < s.groups(); ++group)
    for (std::int64_t block = 0; block < blocks.query_blocks(); ++block)
      QueryBlock(e, engine, blocks, mask, group, block, statistics)
          .run(operands.queries.data() + group * s.group_rows() * s.depth,
               operands.keys.data() + group * s.columns * s.depth,
               operands.values.data() + group * s.columns * s.value_depth);
}

}  // namespace npusim::workloads
