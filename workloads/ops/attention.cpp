// SPDX-License-Identifier: Apache-2.0
// Attention (ONNX opset 23): softmax(Q K^T * scale + mask) V for each head, with grouped or single
// key-value heads, a causal mask and a cache of past keys and values. Scores are capped before they
// are masked. Each of the two products goes through the matrix engine; scale, mask and softmax
// round to the internal format. The decomposition is made of differentiable ops. An engine that
// takes attention in blocks (online_softmax.h) gets it so: blocked_attention.h.
#include <cmath>
#include <limits>

#include "workloads/attention_shape.h"
#include "workloads/ops/axes.h"
#include "workloads/ops/blocked_attention.h"
#include "workloads/ops/broadcast.h"
#include "workloads/ops/families.h"
#include "workloads/ops/rows_along_axis.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;

/// (batch, heads, sequence, depth), past first.
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

class Attention final : public SimpleOp {
 public:
  Attention()
      : SimpleOp({"Attention",
                  "softmax(Q K^T * scale + mask) V a head, from (Q, K, V, mask, past_key, "
                  "past_value); second and third output: the cache with the new keys and values",
                  OpClass::vector,
                  3,
                  6,
                  {{"is_causal", std::int64_t{0}, false, "1: a row sees no later column"},
                   {"kv_num_heads", std::int64_t{0}, false, "of inputs of rank 3"},
                   {"q_num_heads", std::int64_t{0}, false, "of inputs of rank 3"},
                   {"scale", 0.0, false, "of the scores; 0: 1 / sqrt(depth)"},
                   {"softcap", 0.0, false, "c * tanh(score / c); 0: none"},
                   {"softmax_precision", std::int64_t{0}, false,
                    "ONNX type; the recipe's internal format decides"}},
                  false,
                  1,
                  3}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const AttentionShape s = attention_shape(view);
    const Shape y = s.packed ? Shape{s.batch, s.rows, s.heads * s.value_depth}
                             : Shape{s.batch, s.heads, s.rows, s.value_depth};
    return {{y, ElementType::floating},
            {{s.batch, s.kv_heads, s.columns, s.depth}, ElementType::floating},
            {{s.batch, s.kv_heads, s.columns, s.value_depth}, ElementType::floating}};
  }
  std::int64_t macs(const NodeView& view) const override {
    const AttentionShape s = attention_shape(view);
    return s.batch * s.heads * s.rows * s.columns * (s.depth + s.value_depth);
  }
  /// On a vector unit; an NPU with a MAC array decomposes the op.
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const AttentionShape s = attention_shape(view);
    const std::int64_t scores = s.batch * s.heads * s.rows * s.columns;
    return {{"mul", macs(view) + scores},
            {"add", macs(view) + 3 * scores},
            {"max", scores},
            {"exp", scores},
            {"div", scores}};
  }
  void forward(Evaluation& e) const override {
    const AttentionShape s = attention_shape(e.view);
    const auto past = [&](std::size_t i) { return e.inputs.size() > i ? e.inputs[i] : nullptr; };
    const std::vector<double> q =
        by_head(*e.inputs[0], nullptr, s.packed, s.batch, s.heads, s.depth);
    const std::vector<double> k =
        by_head(*e.inputs[1], past(4), s.packed, s.batch, s.kv_heads, s.depth);
    const std::vector<double> v =
        by_head(*e.inputs[2], past(5), s.packed, s.batch, s.kv_heads, s.value_depth);
    if (e.outputs.size() > 1) e.outputs[1].values = k;
    if (e.outputs.size() > 2) e.outputs[2].values = v;
    if (const auto* engine = dynamic_cast<const OnlineSoftmaxEngine*>(&e.matrix))
      return attend_in_blocks(e, *engine, s, {q.data(), k.data(), v.data()});
    const ScoreMask mask(e, s);
    for (std::int64_t b = 0; b < s.batch; ++b)
      for (std::int64_t h = 0; h < s.heads; ++h) {
        const std::int64_t kv = b * s.kv_heads + h / (s.heads / s.kv_heads);
        head(e, s, mask, b, h, q.data() + (b * s.heads + h) * s.rows * s.depth,
             k.data() + kv * s.columns * s.depth, v.data() + kv * s.columns * s.value_depth);
      }
  }
  std::vector<std::string> decomposes_into() const override {
    return {"MatMul", "Scale",      "Softmax", "Add",    "Transpose", "ReshapeTo",
            "Concat", "CausalMask", "Where",   "Filled", "Tanh"};
  }
  std::vector<TensorId> decompose(DecompositionBuilder& d) const override;

 private:
  static void head(Evaluation& e, const AttentionShape& s, const ScoreMask& mask, std::int64_t b,
                   std::int64_t h, const double* q, const double* k, const double* v) {
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
      for (std::int64_t i = 0; i < s.columns; ++i) {
        const std::size_t at = rows.at(row, i);
        const double shifted = e.internal(scores[at] - exponentials.max);
        p[at] =
            e.internal(e.internal.divide(e.internal(e.internal.exp(shifted)), exponentials.sum));
      }
    }
    Tensor& y = e.outputs[0];
    double* to = s.packed ? y.values.data() + (b * s.rows * s.heads + h) * s.value_depth
                          : y.values.data() + (b * s.heads + h) * s.rows * s.value_depth;
    precision::MatrixOutput out(to, s.packed ? s.heads * s.value_depth : s.value_depth);
    e.matrix.multiply(s.columns, precision::MatrixRows(p.data(), s.rows, s.columns, s.columns, 1),
                      precision::MatrixRows(v, s.value_depth, s.columns, 1, s.value_depth), {},
                      out);
  }
};

/// The nodes of a decomposition, named by what they make.
class Parts {
 public:
  Parts(DecompositionBuilder& d, const AttentionShape& s) : d_(d), s_(s) {}

  TensorId node(const char* op, const char* suffix, std::vector<TensorId> inputs,
                Attributes attributes = {}) {
    return d_.add(op, suffix, std::move(inputs), std::move(attributes));
  }
  /// (batch, heads, sequence, depth) of an operand, with its past in front.
  TensorId heads(int input, int past, std::int64_t heads, std::int64_t depth,
                 const std::string& suffix) {
    TensorId id = d_.view().node().inputs[static_cast<std::size_t>(input)];
    if (s_.packed) {
      const std::int64_t length = d_.view().input(input).shape[1];
      id = d_.add("ReshapeTo", suffix + "_split", {id},
                  {{"shape", Shape{s_.batch, length, heads, depth}}});
      id = d_.add("Transpose", suffix + "_heads", {id}, {{"perm", Integers{0, 2, 1, 3}}});
    }
    if (past < 0 || !d_.view().has_input(past)) return id;
    return d_.add("Concat", suffix + "_cache",
                  {d_.view().node().inputs[static_cast<std::size_t>(past)], id},
                  {{"axis", std::int64_t{2}}});
  }
  /// The rows of all query heads that share a key-value head, one after the other; and back.
  TensorId grouped(TensorId id, std::int64_t width, const std::string& suffix) {
    const std::int64_t share = s_.heads / s_.kv_heads;
    if (share == 1) return id;
    return d_.add("ReshapeTo", suffix, {id},
                  {{"shape", Shape{s_.batch, s_.kv_heads, share * s_.rows, width}}});
  }
  TensorId ungrouped(TensorId id, std::int64_t width, const std::string& suffix) {
    if (s_.heads == s_.kv_heads) return id;
    return d_.add("ReshapeTo", suffix, {id},
                  {{"shape", Shape{s_.batch, s_.heads, s_.rows, width}}});
  }

 private:
  DecompositionBuilder& d_;
  const AttentionShape& s_;
};

std::vector<TensorId> Attention::decompose(DecompositionBuilder& d) const {
  const AttentionShape s = attention_shape(d.view());
  Parts parts(d, s);
  const TensorId q = parts.heads(0, -1, s.heads, s.depth, "q");
  const TensorId k = parts.heads(1, 4, s.kv_heads, s.depth, "k");
  const TensorId v = parts.heads(2, 5, s.kv_heads, s.value_depth, "v");
  const TensorId products =
      parts.node("MatMul", "scores", {parts.grouped(q, s.depth, "q_grouped"), k},
                 {{"transB", std::int64_t{1}}});
  TensorId scores =
      parts.node("Scale", "scaled", {parts.ungrouped(products, s.columns, "scores_by_head")},
                 {{"factor", s.scale}});
  if (const double cap = d.view().number("softcap"); cap != 0.0) {
    scores = parts.node("Scale", "by_cap", {scores}, {{"factor", 1.0 / cap}});
    scores = parts.node("Tanh", "tanh", {scores});
    scores = parts.node("Scale", "capped", {scores}, {{"factor", cap}});
  }
  if (d.view().integer("is_causal") != 0)
    scores = parts.node(
        "Add", "causal",
        {scores, parts.node("CausalMask", "causal_mask", {},
                            {{"rows", s.rows}, {"columns", s.columns}, {"past", s.past}})});
  if (d.view().has_input(3)) {
    TensorId mask = d.view().node().inputs[3];
    if (d.view().input(3).type == ElementType::boolean) {
      const auto filled = [&](const char* suffix, double value) {
        return parts.node("Filled", suffix, {}, {{"shape", Shape{}}, {"value", value}});
      };
      mask = parts.node(
          "Where", "mask",
          {mask, filled("seen", 0.0), filled("unseen", -std::numeric_limits<double>::infinity())});
    }
    scores = parts.node("Add", "masked", {scores, mask});
  }
  const TensorId p = parts.node("Softmax", "softmax", {scores});
  TensorId y = parts.ungrouped(
      parts.node("MatMul", "context", {parts.grouped(p, s.columns, "softmax_grouped"), v}),
      s.value_depth, "context_by_head");
  if (s.packed) {
    y = parts.node("Transpose", "context_rows", {y}, {{"perm", Integers{0, 2, 1, 3}}});
    y = parts.node("ReshapeTo", "joined", {y},
                   {{"shape", Shape{s.batch, s.rows, s.heads * s.value_depth}}});
  }
  std::vector<TensorId> results = {y, k, v};
  results.resize(static_cast<std::size_t>(d.view().output_count()));
  return results;
}

/// Below every score, and exp() of it is 0 in binary64 too; unlike -infinity it is a number that
/// stays one when it is stored.
constexpr double kMasked = -30000.0;

class CausalMask final : public SimpleOp {
 public:
  CausalMask()
      : SimpleOp({"CausalMask",
                  "0 where a row may look at a column, -30000 where the column is later",
                  OpClass::vector,
                  0,
                  0,
                  {{"columns", std::int64_t{1}, true, "keys"},
                   {"past", std::int64_t{0}, false, "keys before the first row's own"},
                   {"rows", std::int64_t{1}, true, "queries"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{{view.integer("rows"), view.integer("columns")}, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"copy", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    Tensor& y = e.outputs[0];
    for_positions(y.shape, [&](std::int64_t i, const Integers& at) {
      y.values[static_cast<std::size_t>(i)] =
          at[1] > at[0] + e.view.integer("past") ? kMasked : 0.0;
    });
  }
};

}  // namespace

void register_attention(OpRegistry& registry) {
  registry.add(std::make_unique<Attention>());
  registry.add(std::make_unique<CausalMask>());
}

}  // namespace npusim::workloads
