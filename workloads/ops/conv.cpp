// SPDX-License-Identifier: Apache-2.0
// Conv: convolution in one to three dimensions (ONNX), as products of weight rows with image
// windows read on the fly.
#include "workloads/ops/conv_geometry.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

/// The windows of one group as rows of K = channels * taps values; padding taps are +0.
class WindowRows final : public precision::OperandRows {
 public:
  WindowRows(const ConvGeometry& g, const Tensor& x, std::int64_t group)
      : g_(g), x_(x.values.data()), first_channel_(group * g.group_channels()) {}
  std::int64_t rows() const override { return g_.images * g_.out_pixels(); }
  void read(std::int64_t row, double* k_values) const override {
    const std::int64_t image = row / g_.out_pixels();
    const std::int64_t pixel = row % g_.out_pixels();
    const double* plane = x_ + (image * g_.channels + first_channel_) * g_.in_pixels();
    const std::int64_t channels = g_.group_channels();
    if (g_.taps() == 1) {
      const double* source = nullptr;
      for_taps(g_, pixel, [&](std::int64_t, std::int64_t offset) { source = plane + offset; });
      for (std::int64_t c = 0; c < channels; ++c)
        k_values[c] = source != nullptr ? source[c * g_.in_pixels()] : 0.0;
      return;
    }
    std::fill(k_values, k_values + channels * g_.taps(), 0.0);
    for_taps(g_, pixel, [&](std::int64_t tap, std::int64_t offset) {
      for (std::int64_t c = 0; c < channels; ++c)
        k_values[c * g_.taps() + tap] = plane[c * g_.in_pixels() + offset];
    });
  }

 private:
  const ConvGeometry& g_;
  const double* x_;
  std::int64_t first_channel_;
};

/// Scatters rows of output channels over images: columns run over (image, pixel).
class ImageOutput final : public precision::GemmOutput {
 public:
  ImageOutput(Tensor& y, std::int64_t channels, std::int64_t pixels, std::int64_t first_channel)
      : y_(y.values.data()), channels_(channels), pixels_(pixels), first_(first_channel) {}
  void write(std::int64_t row, std::int64_t column, std::int64_t count,
             const double* values) override {
    while (count > 0) {
      const std::int64_t image = column / pixels_;
      const std::int64_t pixel = column % pixels_;
      const std::int64_t length = std::min(count, pixels_ - pixel);
      std::copy(values, values + length, y_ + (image * channels_ + first_ + row) * pixels_ + pixel);
      column += length;
      values += length;
      count -= length;
    }
  }

 private:
  double* y_;
  std::int64_t channels_, pixels_, first_;
};

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
    const ConvGeometry g = geometry(e.view);
    const std::int64_t k = g.group_channels() * g.taps();
    for (std::int64_t group = 0; group < g.groups; ++group) {
      const std::int64_t first = group * g.group_outputs();
      const precision::MatrixRows weights(e.inputs[1]->values.data() + first * k, g.group_outputs(),
                                          k, k, 1);
      const WindowRows windows(g, *e.inputs[0], group);
      precision::Bias bias;
      if (e.view.has_input(2))
        bias = {precision::Bias::Axis::by_row, e.inputs[2]->values.data() + first};
      ImageOutput out(e.outputs[0], g.out_channels, g.out_pixels(), first);
      e.matrix.multiply(k, weights, windows, bias, out);
    }
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
