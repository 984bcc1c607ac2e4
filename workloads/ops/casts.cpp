// SPDX-License-Identifier: Apache-2.0
// Identity, Cast, CastLike: the values in another type. What a floating result is stored in is the
// recipe's choice (its declared format where a run follows the model's types), so that between
// floating types nothing happens here. To integers: truncated, then modulo 2^bits.
#include "workloads/onnx_types.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

class Copy : public SimpleOp {
 public:
  using SimpleOp::SimpleOp;
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(0).shape, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"copy", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& x = e.inputs[0]->values;
    Tensor& y = e.outputs[0];
    if (y.type == e.inputs[0]->type || y.type == ElementType::floating)
      y.values = x;
    else
      for (std::size_t i = 0; i < x.size(); ++i) y.values[i] = wrapped(x[i], y.type);
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    const bool flows = g.view().input(0).type == ElementType::floating &&
                       g.view().output().type == ElementType::floating;
    if (g.wanted(0) && flows) g.set_input_gradient(0, as_gradient_of(g, 0, g.output_gradient(0)));
  }
};

class Cast final : public Copy {
 public:
  Cast()
      : Copy({"Cast",
              "x in another type; floating results in the format that the recipe gives them",
              OpClass::vector,
              1,
              1,
              {{"saturate", std::int64_t{1}, false, "of 8-bit floats; the stored format decides"},
               {"to", std::int64_t{0}, false,
                "ONNX element type: 1 float, 7 int64, 10 float16, ...; 0: the input's"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const std::int64_t to = view.integer("to");
    if (to == 0) return Copy::infer(view);
    const DeclaredType declared = onnx_type(to);
    return {{view.input(0).shape, declared.type, declared.format}};
  }
};

class CastLike final : public Copy {
 public:
  CastLike()
      : Copy({"CastLike",
              "x in the type of the second input",
              OpClass::vector,
              2,
              2,
              {{"saturate", std::int64_t{1}, false,
                "of 8-bit floats; the stored format decides"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const TensorInfo& like = view.input(1);
    const bool floating = like.type == ElementType::floating;
    const std::string format = floating && like.format.empty() ? "fp32" : like.format;
    return {{view.input(0).shape, like.type, format}};
  }
};

}  // namespace

void register_casts(OpRegistry& registry) {
  registry.add(std::make_unique<Copy>(OpFacts{"Identity", "x"}));
  registry.add(std::make_unique<Cast>());
  registry.add(std::make_unique<CastLike>());
}

}  // namespace npusim::workloads
