// SPDX-License-Identifier: Apache-2.0
// Attention (ONNX opset 23): softmax(Q K^T * scale + mask) V for each head, with grouped or single
// key-value heads, a causal mask and a cache of past keys and values. Scores are capped before they
// are masked. Each of the two products goes through the matrix engine; scale, mask and softmax
// round to the internal format. The decomposition is made of differentiable ops. An engine that
// takes attention in blocks (online_softmax.h) gets it so: blocked_attention.h.
#include <cmath>
#include <limits>

#include "workloads/attention_shape.h"
#include "workloads/ops/attention_heads.h"
#include "workloads/ops/attention_training.h"
#include "workloads/ops/axes.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;

class Attention final : public SimpleOp {
 public:
  Attention()
      : SimpleOp({"Attention",
                  "softmax(Q K^T * scale + mask) V a head, from (Q, K, V, mask, past_key, "
                  "past_value); second and third output: the cache with the new keys and values",
                  OpClass::vector, 3, 6, attention_attributes(), false, 1, 3}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const AttentionShape s = attention_shape(view);
    return {{attention_result(s), ElementType::floating},
            {{s.batch, s.kv_heads, s.columns, s.depth}, ElementType::floating},
            {{s.batch, s.kv_heads, s.columns, s.value_depth}, ElementType::floating}};
  }
  std::int64_t macs(const NodeView& view) const override {
    return attention_macs(attention_shape(view));
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return attention_work(attention_shape(view));
  }
  void forward(Evaluation& e) const override {
    const AttentionShape s = attention_shape(e.view);
    const HeadOperands operands(e, s);
    if (e.outputs.size() > 1) e.outputs[1].values = operands.keys;
    if (e.outputs.size() > 2) e.outputs[2].values = operands.values;
    attend(e, s, operands, nullptr);
  }
  std::vector<std::string> decomposes_into() const override {
    return {"MatMul", "Scale",      "Softmax", "Add",    "Transpose", "ReshapeTo",
            "Concat", "CausalMask", "Where",   "Filled", "Tanh"};
  }
  std::vector<TensorId> decompose(DecompositionBuilder& d) const override;
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
  register_attention_training(registry);
}

}  // namespace npusim::workloads
