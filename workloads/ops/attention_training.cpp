// SPDX-License-Identifier: Apache-2.0
// Attention in a training step that keeps no matrix of scores, for NPUs whose mapping takes its
// backward pass as one op: the forward op keeps the logarithm of each row's sum of exponentials,
// the gradient computes the scores again from it (blocked_attention_gradient.h). A step in parts
// has neither.
#include "workloads/ops/attention_training.h"
#include "workloads/ops/blocked_attention_gradient.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

class AttentionWithStatistics final : public SimpleOp {
 public:
  AttentionWithStatistics()
      : SimpleOp({kAttentionWithStatistics,
                  "Attention without a cache; second output: log(sum(exp(score))) of each row",
                  OpClass::vector, 3, 4, attention_attributes(), true, 2, 2}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const AttentionShape s = attention_shape(view);
    return {{attention_result(s), ElementType::floating},
            {{s.batch, s.heads, s.rows}, ElementType::floating}};
  }
  std::int64_t macs(const NodeView& view) const override {
    return attention_macs(attention_shape(view));
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const AttentionShape s = attention_shape(view);
    std::vector<VectorWork> work = attention_work(s);
    const std::int64_t rows = s.batch * s.heads * s.rows;
    work.push_back({"add", rows});
    work.push_back({"log", rows});
    return work;
  }
  void forward(Evaluation& e) const override {
    const AttentionShape s = attention_shape(e.view);
    attend(e, s, HeadOperands(e, s), &e.outputs[1].values);
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& b) const override {
    const Node& node = b.view().node();
    refuse_gradient(b, 3);
    const TensorId mask = b.view().has_input(3) ? node.inputs[3] : kNoTensor;
    b.add(kAttentionGradient, "gradient",
          {node.inputs[0], node.inputs[1], node.inputs[2], mask, kNoTensor, kNoTensor,
           node.outputs[0], node.outputs[1], b.output_gradient(0)},
          node.attributes, TensorRole::activation_gradient);
    const std::vector<TensorId> gradients = b.view().graph().nodes.back().outputs;
    for (int i = 0; i < 3; ++i)
      if (b.wanted(i))
        b.set_input_gradient(i, as_gradient_of(b, i, gradients[static_cast<std::size_t>(i)]));
  }
};

/// All terms at once, through an engine that knows no blocks.
class WholeProducts final : public AttentionGradientEngine {
 public:
  explicit WholeProducts(const MatrixEngine& engine) : engine_(engine) {}
  AttentionBlocks blocks(const AttentionShape& shape) const override {
    return {shape, shape.group_rows(), shape.columns};
  }
  void product(Product, std::int64_t terms, const precision::OperandRows& a,
               const precision::OperandRows& b, precision::GemmOutput& out) const override {
    engine_.multiply(terms, a, b, {}, out);
  }
  void multiply(std::int64_t k, const precision::OperandRows& a, const precision::OperandRows& b,
                const precision::Bias& bias, precision::GemmOutput& out) const override {
    engine_.multiply(k, a, b, bias, out);
  }
  const precision::Rounder& on_chip() const override { return unrounded_; }
  const precision::Rounder& operand() const override { return unrounded_; }

 private:
  const MatrixEngine& engine_;
  precision::Rounder unrounded_;
};

class AttentionGradient final : public SimpleOp {
 public:
  AttentionGradient()
      : SimpleOp({kAttentionGradient,
                  "gradients of attention by Q, K and V, from its inputs (no cache), its result, "
                  "the statistics and the result's gradient; scores are computed again",
                  OpClass::vector, 3, 9, attention_attributes(), true, 3, 3}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const AttentionShape s = attention_shape(view);
    for (const int input : {6, 7, 8})
      if (!view.has_input(input))
        shape_error("result, statistics or the result's gradient of the attention are missing");
    if (view.input(6).shape != attention_result(s) || view.input(8).shape != attention_result(s) ||
        view.input(7).shape != Shape{s.batch, s.heads, s.rows})
      shape_error("result " + to_string(view.input(6).shape) + ", statistics " +
                  to_string(view.input(7).shape) + " and gradient " +
                  to_string(view.input(8).shape) + " are not those of such an attention");
    std::vector<OutputSpec> outputs;
    for (int i = 0; i < 3; ++i) outputs.push_back({view.input(i).shape, ElementType::floating});
    return outputs;
  }
  std::int64_t macs(const NodeView& view) const override {
    const AttentionShape s = attention_shape(view);
    return s.batch * s.heads * s.rows * s.columns * (3 * s.depth + 2 * s.value_depth);
  }
  /// On a vector unit.
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const AttentionShape s = attention_shape(view);
    const std::int64_t scores = s.batch * s.heads * s.rows * s.columns;
    return {{"mul", macs(view) + 2 * scores}, {"add", macs(view) + 2 * scores}, {"exp", scores}};
  }
  void forward(Evaluation& e) const override {
    const AttentionShape s = attention_shape(e.view);
    GradientOperands operands{HeadOperands(e, s), heads_of(*e.inputs[6], s), e.inputs[7]->values,
                              heads_of(*e.inputs[8], s)};
    const WholeProducts whole(e.matrix);
    const auto* blocked = dynamic_cast<const AttentionGradientEngine*>(&e.matrix);
    const AttentionGradients result =
        attention_gradients(e, blocked == nullptr ? whole : *blocked, s, operands);
    from_heads(result.queries, s.packed, s.batch, s.heads, s.depth, e.outputs[0]);
    from_heads(result.keys, s.packed, s.batch, s.kv_heads, s.depth, e.outputs[1]);
    from_heads(result.values, s.packed, s.batch, s.kv_heads, s.value_depth, e.outputs[2]);
  }

 private:
  static std::vector<double> heads_of(const Tensor& x, const AttentionShape& s) {
    return by_head(x, nullptr, s.packed, s.batch, s.heads, s.value_depth);
  }
};

}  // namespace

void register_attention_training(OpRegistry& registry) {
  registry.add(std::make_unique<AttentionWithStatistics>());
  registry.add(std::make_unique<AttentionGradient>());
}

}  // namespace npusim::workloads
