// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/blocked_attention_gradient.h"

#include <algorithm>

#include "workloads/ops/blocked_attention.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

using precision::MatrixOutput;
using precision::MatrixRows;
using Product = AttentionGradientEngine::Product;

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

/// One group: a key-value head of a batch entry and the queries that share it.
class GroupGradient {
 public:
  GroupGradient(Evaluation& e, const AttentionGradientEngine& engine, const AttentionBlocks& blocks,
                const ScoreMask& mask, std::int64_t group, const GradientOperands& operands,
                AttentionGradients& result)
      : e_(e),
        engine_(engine),
        blocks_(blocks),
        s_(blocks.shape),
        mask_(mask),
        group_(group),
        queries_(operands.forward.queries.data() + group * s_.group_rows() * s_.depth),
        keys_(operands.forward.keys.data() + group * s_.columns * s_.depth),
        values_(operands.forward.values.data() + group * s_.columns * s_.value_depth),
        results_(operands.results.data() + group * s_.group_rows() * s_.value_depth),
        gradients_(operands.gradients.data() + group * s_.group_rows() * s_.value_depth),
        statistics_(operands.statistics.data() + group * s_.group_rows()),
        by_queries_(result.queries.data() + group * s_.group_rows() * s_.depth),
        by_keys_(result.keys.data() + group * s_.columns * s_.depth),
        by_values_(result.values.data() + group * s_.columns * s_.value_depth),
        dots_(at(s_.group_rows())) {}

  void run() {
    e_.parallel(s_.group_rows(), [&](std::int64_t row) { dots_[at(row)] = dot(row); });
    for (std::int64_t j = 0; j < blocks_.key_blocks(); ++j)
      for (std::int64_t i = 0; i < blocks_.query_blocks(); ++i)
        if (blocks_.blocks_for(i) > j) add_block(i, j);
    const double scale = e_.internal(s_.scale);
    scale_all(by_queries_, s_.group_rows() * s_.depth, scale);
    scale_all(by_keys_, s_.columns * s_.depth, scale);
  }

 private:
  double dot(std::int64_t row) const {
    double sum = 0.0;
    for (std::int64_t c = row * s_.value_depth; c < (row + 1) * s_.value_depth; ++c)
      sum = e_.internal(sum + e_.internal(gradients_[c] * results_[c]));
    return sum;
  }

  void add_block(std::int64_t query_block, std::int64_t key_block) {
    const std::int64_t row0 = query_block * blocks_.queries, key0 = key_block * blocks_.keys;
    const std::int64_t rows = blocks_.queries_in(query_block), keys = blocks_.keys_in(key_block);
    const double* const q = queries_ + row0 * s_.depth;
    const double* const dy = gradients_ + row0 * s_.value_depth;
    const double* const k = keys_ + key0 * s_.depth;
    const double* const v = values_ + key0 * s_.value_depth;
    const MatrixRows streamed_q(q, rows, s_.depth, s_.depth, 1);
    const MatrixRows streamed_dy(dy, rows, s_.value_depth, s_.value_depth, 1);
    const MatrixRows stationary_k(k, keys, s_.depth, s_.depth, 1);
    const MatrixRows stationary_v(v, keys, s_.value_depth, s_.value_depth, 1);
    std::vector<double> p(at(rows * keys)), ds(p.size());
    MatrixOutput scores(p.data(), keys), weights(ds.data(), keys);
    engine_.product(Product::scores, s_.depth, streamed_q, stationary_k, scores);
    engine_.product(Product::weights, s_.value_depth, streamed_dy, stationary_v, weights);
    e_.parallel(rows, [&](std::int64_t row) {
      soften(row0 + row, key0, keys, p.data() + row * keys, ds.data() + row * keys);
    });
    add(Product::values, rows, MatrixRows(p.data(), keys, rows, 1, keys),
        MatrixRows(dy, s_.value_depth, rows, 1, s_.value_depth), keys, s_.value_depth,
        by_values_ + key0 * s_.value_depth);
    add(Product::keys, rows, MatrixRows(ds.data(), keys, rows, 1, keys),
        MatrixRows(q, s_.depth, rows, 1, s_.depth), keys, s_.depth, by_keys_ + key0 * s_.depth);
    add(Product::queries, keys, MatrixRows(ds.data(), rows, keys, keys, 1),
        MatrixRows(k, s_.depth, keys, 1, s_.depth), rows, s_.depth, by_queries_ + row0 * s_.depth);
  }

  /// Of one row: scores become weights, the weights' gradients those of the scores; both operands.
  void soften(std::int64_t row, std::int64_t key0, std::int64_t keys, double* scores,
              double* gradients) const {
    const VectorArithmetic& internal = e_.internal;
    const std::int64_t batch = group_ / s_.kv_heads;
    const std::int64_t head = group_ % s_.kv_heads * (s_.heads / s_.kv_heads) + row / s_.rows;
    std::vector<double> slopes;
    for (std::int64_t i = 0; i < keys; ++i) {
      const double sum = engine_.on_chip()(scores[i]);
      if (mask_.caps()) slopes.push_back(mask_.slope_of_cap(sum));
      scores[i] = internal(mask_(sum, batch, head, row % s_.rows, key0 + i) - statistics_[row]);
    }
    exponentials(internal, scores, keys);
    for (std::int64_t i = 0; i < keys; ++i) {
      const double weight = internal(scores[i]);
      double gradient =
          internal(weight * internal(engine_.on_chip()(gradients[i]) - dots_[at(row)]));
      if (mask_.caps()) gradient = internal(gradient * slopes[at(i)]);
      scores[i] = engine_.operand()(weight);
      gradients[i] = engine_.operand()(gradient);
    }
  }

  void add(Product which, std::int64_t terms, const MatrixRows& a, const MatrixRows& b,
           std::int64_t rows, std::int64_t width, double* sums) const {
    std::vector<double> product(at(rows * width));
    MatrixOutput out(product.data(), width);
    engine_.product(which, terms, a, b, out);
    for_blocks(e_.parallel, rows * width, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        sums[i] = e_.internal(sums[i] + engine_.on_chip()(product[at(i)]));
    });
  }

  void scale_all(double* values, std::int64_t count, double scale) const {
    for (std::int64_t i = 0; i < count; ++i) values[i] = e_.internal(values[i] * scale);
  }

  Evaluation& e_;
  const AttentionGradientEngine& engine_;
  const AttentionBlocks& blocks_;
  const AttentionShape& s_;
  const ScoreMask& mask_;
  const std::int64_t group_;
  const double *queries_, *keys_, *values_, *results_, *gradients_, *statistics_;
  double *by_queries_, *by_keys_, *by_values_;
  std::vector<double> dots_;  ///< of each row: dO and O
};

}  // namespace

AttentionGradients attention_gradients(Evaluation& e, const AttentionGradientEngine& engine,
                                       const AttentionShape& s, const GradientOperands& operands) {
  const AttentionBlocks blocks = engine.blocks(s);
  const ScoreMask mask(e, s);
  AttentionGradients result;
  result.queries.resize(operands.forward.queries.size());
  result.keys.resize(operands.forward.keys.size());
  result.values.resize(operands.forward.values.size());
  for (std::int64_t group = 0; group < s.groups(); ++group)
    GroupGradient(e, engine, blocks, mask, group, operands, result).run();
  return result;
}

}  // namespace npusim::workloads
