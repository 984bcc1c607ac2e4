// SPDX-License-Identifier: Apache-2.0
// Conv: convolution in one to three dimensions (ONNX), as products of weight rows with image
// windows read on the fly.
#include "workloads/ops/convolve.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"
#include "workloads/ops/winograd_convolve.h"

namespace npusim::workloads {
namespace {

class Conv final : public SimpleOp {
 public:
  Conv()
      : SimpleOp(
            {"Conv",
             "convolution of x (N,C,H,W) by w (K,C/group,R,S), optional bias (K); 1-D and 3-D too",
             OpClass::matrix, 2, 3, conv_attributes()}) {}

  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const ConvGeometry g = geometry(view);
    if (view.has_input(2) && view.input(2).shape != Shape{g.out_channels})
      shape_error("bias " + view.input(2).name + " must have shape [" +
                  std::to_string(g.out_channels) + "], not " + to_string(view.input(2).shape));
    return {{g.output_shape(), ElementType::floating}};
  }
  std::optional<Contraction> contraction(const NodeView& view) const override {
    const ConvGeometry g = geometry(view);
    Contraction c;
    c.role = GemmRole::fprop;
    c.groups = g.groups;
    c.m = g.images * g.out_pixels();
    c.n = g.group_outputs();
    c.dims = {
        {"C", g.group_channels()}, {"R", g.kernel_depth * g.kernel_height}, {"S", g.kernel_width}};
    c.bias_input = view.has_input(2) ? 2 : -1;
    c.window = g.window();
    return c;
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }

  void forward(Evaluation& e) const override {
    const double* bias = e.view.has_input(2) ? e.inputs[2]->values.data() : nullptr;
    if (const auto* engine = dynamic_cast<const WinogradEngine*>(&e.matrix))
      return convolve_by_winograd(*engine, geometry(e.view), *e.inputs[0], *e.inputs[1], bias,
                                  e.outputs[0], e.parallel);
    convolve(e.matrix, geometry(e.view), *e.inputs[0], *e.inputs[1], bias, e.outputs[0]);
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& builder) const override {
    const NodeView view = builder.view();
    const TensorId dy = builder.output_gradient(0);
    if (builder.wanted(0)) {
      Attributes attributes = window_of(view);
      attributes["x_shape"] = view.input(0).shape;
      builder.set_input_gradient(
          0, builder.add("ConvDataGradient", "dx", {dy, view.node().inputs[1]}, attributes,
                         gradient_role(builder, 0)));
    }
    if (builder.wanted(1)) {
      Attributes attributes = window_of(view);
      attributes["w_shape"] = view.input(1).shape;
      builder.set_input_gradient(
          1, builder.add("ConvWeightGradient", "dw", {dy, view.node().inputs[0]}, attributes,
                         gradient_role(builder, 1)));
    }
    if (view.has_input(2) && builder.wanted(2)) {
      builder.set_input_gradient(
          2, builder.add("ReduceSum", "db", {dy},
                         {{"axes", all_but_channels(view)}, {"keepdims", std::int64_t{0}}},
                         gradient_role(builder, 2)));
    }
  }

 private:
  static ConvGeometry geometry(const NodeView& view) {
    return conv_geometry(view, view.input(0).shape, view.input(1).shape);
  }
  static std::vector<std::int64_t> all_but_channels(const NodeView& view) {
    std::vector<std::int64_t> axes = {0};
    for (std::size_t i = 2; i < view.input(0).shape.size(); ++i)
      axes.push_back(static_cast<std::int64_t>(i));
    return axes;
  }
  static Attributes window_of(const NodeView& view) {
    Attributes attributes = view.node().attributes;
    attributes.erase("kernel_shape");
    return attributes;
  }
};

}  // namespace

void register_conv(OpRegistry& registry) {
  registry.add(std::make_unique<Conv>());
}

}  // namespace npusim::workloads
