// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/attention_heads.h"

#include <algorithm>

#include "workloads/ops/blocked_attention.h"
#include "workloads/ops/rows_along_axis.h"

namespace npusim::workloads {
namespace {

void attend_head(Evaluation& e, const AttentionShape& s, const ScoreMask& mask, std::int64_t b,
                 std::int64_t h, const double* q, const double* k, const double* v,
                 std::vector<double>* statistics) {
  const RowsAlongAxis rows{s.rows, s.columns, 1};
  std::vector<double> scores(static_cast<std::size_t>(s.rows * s.columns));
  precision::MatrixOutput score_output(scores.data(), s.columns);
  e.matrix.multiply(s.depth, precision::MatrixRows(q, s.rows, s.depth, s.depth, 1),
                    precision::MatrixRows(k, s.columns, s.depth, s.depth, 1), {}, score_output);
  for (std::int64_t row = 0; row < s.rows; ++row)
    for (std::int64_t column = 0; column < s.columns; ++column) {
      double& score = scores[static_cast<std::size_t>(row * s.columns + column)];
      score = mask(score, b, h, row, column);
    }
  std::vector<double> p(scores.size());
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const StableExponentials exponentials = stable_exponentials(scores, rows, row, e.internal);
    if (statistics != nullptr)
      (*statistics)[static_cast<std::size_t>((b * s.heads + h) * s.rows + row)] =
          e.internal(exponentials.max + e.internal(e.internal.log(exponentials.sum)));
    for (std::int64_t i = 0; i < s.columns; ++i) {
      const std::size_t at = rows.at(row, i);
      const double shifted = e.internal(scores[at] - exponentials.max);
      p[at] = e.internal(e.internal.divide(e.internal(e.internal.exp(shifted)), exponentials.sum));
    }
  }
  Tensor& y = e.outputs[0];
  double* to = s.packed ? y.values.data() + (b * s.rows * s.heads + h) * s.value_depth
                        : y.values.data() + (b * s.heads + h) * s.rows * s.value_depth;
  precision::MatrixOutput out(to, s.packed ? s.heads * s.value_depth : s.value_depth);
  e.matrix.multiply(s.columns, precision::MatrixRows(p.data(), s.rows, s.columns, s.columns, 1),
                    precision::MatrixRows(v, s.value_depth, s.columns, 1, s.value_depth), {}, out);
}

}  // namespace

std::vector<AttributeSpec> attention_attributes() {
  return {{"is_causal", std::int64_t{0}, false, "1: a row sees no later column"},
          {"kv_num_heads", std::int64_t{0}, false, "of inputs of rank 3"},
          {"q_num_heads", std::int64_t{0}, false, "of inputs of rank 3"},
          {"scale", 0.0, false, "of the scores; 0: 1 / sqrt(depth)"},
          {"softcap", 0.0, false, "c * tanh(score / c); 0: none"},
          {"softmax_precision", std::int64_t{0}, false,
           "ONNX type; the recipe's internal format decides"}};
}

Shape attention_result(const AttentionShape& s) {
  return s.packed ? Shape{s.batch, s.rows, s.heads * s.value_depth}
                  : Shape{s.batch, s.heads, s.rows, s.value_depth};
}

std::int64_t attention_macs(const AttentionShape& s) {
  return s.batch * s.heads * s.rows * s.columns * (s.depth + s.value_depth);
}

std::vector<VectorWork> attention_work(const AttentionShape& s) {
  const std::int64_t scores = s.batch * s.heads * s.rows * s.columns;
  return {{"mul", attention_macs(s) + scores},
          {"add", attention_macs(s) + 3 * scores},
          {"max", scores},
          {"exp", scores},
          {"div", scores}};
}

std::vector<double> by_head(const Tensor& x, const Tensor* past, bool packed, std::int64_t batch,
                            std::int64_t heads, std::int64_t depth) {
  const std::int64_t length = x.shape[packed ? 1 : 2];
  const std::int64_t before = past == nullptr ? 0 : past->shape[2];
  std::vector<double> result;
  result.reserve(x.values.size() + (past == nullptr ? 0 : past->values.size()));
  for (std::int64_t b = 0; b < batch; ++b)
    for (std::int64_t h = 0; h < heads; ++h) {
      if (past != nullptr) {
        const auto from = past->values.begin() + (b * heads + h) * before * depth;
        result.insert(result.end(), from, from + before * depth);
      }
      for (std::int64_t i = 0; i < length; ++i) {
        const std::int64_t at = packed ? ((b * length + i) * heads + h) * depth
                                       : ((b * heads + h) * length + i) * depth;
        result.insert(result.end(), x.values.begin() + at, x.values.begin() + at + depth);
      }
    }
  return result;
}

void from_heads(const std::vector<double>& values, bool packed, std::int64_t batch,
                std::int64_t heads, std::int64_t depth, Tensor& x) {
  const std::int64_t length = x.shape[packed ? 1 : 2];
  auto from = values.begin();
  for (std::int64_t b = 0; b < batch; ++b)
    for (std::int64_t h = 0; h < heads; ++h)
      for (std::int64_t i = 0; i < length; ++i, from += depth)
        std::copy(from, from + depth,
                  x.values.begin() + (packed ? ((b * length + i) * heads + h) * depth
                                             : ((b * heads + h) * length + i) * depth));
}

HeadOperands::HeadOperands(const Evaluation& e, const AttentionShape& s) {
  const auto past = [&](std::size_t i) { return e.inputs.size() > i ? e.inputs[i] : nullptr; };
  queries = by_head(*e.inputs[0], nullptr, s.packed, s.batch, s.heads, s.depth);
  keys = by_head(*e.inputs[1], past(4), s.packed, s.batch, s.kv_heads, s.depth);
  values = by_head(*e.inputs[2], past(5), s.packed, s.batch, s.kv_heads, s.value_depth);
}

void attend(Evaluation& e, const AttentionShape& s, const HeadOperands& operands,
            std::vector<double>* statistics) {
  if (const auto* engine = dynamic_cast<const OnlineSoftmaxEngine*>(&e.matrix))
    return attend_in_blocks(e, *engine, s, operands, statistics);
  const ScoreMask mask(e, s);
  for (std::int64_t b = 0; b < s.batch; ++b)
    for (std::int64_t h = 0; h < s.heads; ++h) {
      const std::int64_t kv = b * s.kv_heads + h / (s.heads / s.kv_heads);
      attend_head(e, s, mask, b, h, operands.queries.data() + (b * s.heads + h) * s.rows * s.depth,
                  operands.keys.data() + kv * s.columns * s.depth,
                  operands.values.data() + kv * s.columns * s.value_depth, statistics);
    }
}

}  // namespace npusim::workloads
