// SPDX-License-Identifier: Apache-2.0
// The two gradients of Conv, as contractions of their own: the data gradient sums over (K, R, S),
// the weight gradient over (N, OH, OW), the longest sum of training.
#include "workloads/ops/conv_geometry.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

std::vector<AttributeSpec> gradient_attributes(const char* shape, const char* description) {
  std::vector<AttributeSpec> attributes = conv_attributes();
  attributes.push_back({shape, std::vector<std::int64_t>{}, true, description});
  return attributes;
}

void require_output_shape(const NodeView& view, const ConvGeometry& g) {
  const Shape expected = g.output_shape();
  if (view.input(0).shape != expected)
    shape_error("dy " + view.input(0).name + " must have shape " + to_string(expected) + ", not " +
                to_string(view.input(0).shape));
}

/// Weights as seen from an input channel: row c holds w[k][c][r][s] over (k, r, s).
class TransposedWeights final : public precision::OperandRows {
 public:
  TransposedWeights(const ConvGeometry& g, const Tensor& w, std::int64_t group)
      : g_(g), w_(w.values.data() + group * g.group_outputs() * g.group_channels() * g.taps()) {}
  std::int64_t rows() const override { return g_.group_channels(); }
  void read(std::int64_t row, double* k_values) const override {
    for (std::int64_t k = 0; k < g_.group_outputs(); ++k) {
      const double* taps = w_ + (k * g_.group_channels() + row) * g_.taps();
      std::copy(taps, taps + g_.taps(), k_values + k * g_.taps());
    }
  }

 private:
  const ConvGeometry& g_;
  const double* w_;
};

/// For an input position: dy at every output that a tap connects it to, +0 where there is none (the
/// zeros that a strided gradient inserts).
class ReachedOutputs final : public precision::OperandRows {
 public:
  ReachedOutputs(const ConvGeometry& g, const Tensor& dy, std::int64_t group)
      : g_(g), dy_(dy.values.data()), first_(group * g.group_outputs()) {}
  std::int64_t rows() const override { return g_.images * g_.in_pixels(); }
  void read(std::int64_t row, double* k_values) const override {
    const std::int64_t image = row / g_.in_pixels();
    const std::int64_t z = row % g_.in_pixels() / (g_.in_height * g_.in_width);
    const std::int64_t y = row / g_.in_width % g_.in_height;
    const std::int64_t x = row % g_.in_width;
    const double* planes = dy_ + (image * g_.out_channels + first_) * g_.out_pixels();
    std::fill(k_values, k_values + g_.group_outputs() * g_.taps(), 0.0);
    for (std::int64_t t = 0; t < g_.kernel_depth; ++t) {
      const std::int64_t oz =
          reached(z + g_.pad_front - t * g_.dilation_depth, g_.stride_depth, g_.out_depth);
      if (oz < 0) continue;
      for (std::int64_t r = 0; r < g_.kernel_height; ++r) {
        const std::int64_t oy =
            reached(y + g_.pad_top - r * g_.dilation_height, g_.stride_height, g_.out_height);
        if (oy >= 0)
          read_line(planes + (oz * g_.out_height + oy) * g_.out_width, x,
                    k_values + (t * g_.kernel_height + r) * g_.kernel_width);
      }
    }
  }

 private:
  void read_line(const double* line, std::int64_t x, double* k_values) const {
    for (std::int64_t s = 0; s < g_.kernel_width; ++s) {
      const std::int64_t ox =
          reached(x + g_.pad_left - s * g_.dilation_width, g_.stride_width, g_.out_width);
      if (ox < 0) continue;
      for (std::int64_t k = 0; k < g_.group_outputs(); ++k)
        k_values[k * g_.taps() + s] = line[ox + k * g_.out_pixels()];
    }
  }
  static std::int64_t reached(std::int64_t offset, std::int64_t stride, std::int64_t extent) {
    if (offset < 0 || offset % stride != 0 || offset / stride >= extent) return -1;
    return offset / stride;
  }

  const ConvGeometry& g_;
  const double* dy_;
  std::int64_t first_;
};

/// Rows of input channels, columns over (image, pixel): writes NCHW.
class PlaneOutput final : public precision::GemmOutput {
 public:
  PlaneOutput(Tensor& dx, const ConvGeometry& g, std::int64_t group)
      : dx_(dx.values.data()), g_(g), first_(group * g.group_channels()) {}
  void write(std::int64_t row, std::int64_t column, std::int64_t count,
             const double* values) override {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t image = (column + i) / g_.in_pixels();
      const std::int64_t pixel = (column + i) % g_.in_pixels();
      dx_[(image * g_.channels + first_ + row) * g_.in_pixels() + pixel] = values[i];
    }
  }

 private:
  double* dx_;
  const ConvGeometry& g_;
  std::int64_t first_;
};

/// The window over dy. With a stride, dy is read with zeros between its pixels, so that neighbours
/// share more pixels than a window of stride 1 says: its bytes are an upper bound.
std::optional<Window> window_over_dy(const ConvGeometry& g) {
  std::optional<Window> w = g.window();
  if (!w) return w;
  w->channels = g.group_outputs();
  std::swap(w->in_height, w->out_height);
  std::swap(w->in_width, w->out_width);
  w->stride_height = w->stride_width = 1;
  return w;
}

class ConvDataGradient final : public SimpleOp {
 public:
  ConvDataGradient()
      : SimpleOp({"ConvDataGradient", "gradient of Conv by its image, from (dy, w)",
                  OpClass::matrix, 2, 2, gradient_attributes("x_shape", "shape of the image"),
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    require_output_shape(view, geometry(view));
    return {{view.integers("x_shape"), ElementType::floating}};
  }
  std::optional<Contraction> contraction(const NodeView& view) const override {
    const ConvGeometry g = geometry(view);
    Contraction c;
    c.role = GemmRole::dgrad;
    c.groups = g.groups;
    c.m = g.images * g.in_pixels();
    c.n = g.group_channels();
    c.dims = {
        {"K", g.group_outputs()}, {"R", g.kernel_depth * g.kernel_height}, {"S", g.kernel_width}};
    c.window = window_over_dy(g);
    return c;
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    const ConvGeometry g = geometry(e.view);
    for (std::int64_t group = 0; group < g.groups; ++group) {
      const TransposedWeights weights(g, *e.inputs[1], group);
      const ReachedOutputs outputs(g, *e.inputs[0], group);
      PlaneOutput out(e.outputs[0], g, group);
      e.matrix.multiply(g.group_outputs() * g.taps(), weights, outputs, {}, out);
    }
  }

 private:
  static ConvGeometry geometry(const NodeView& view) {
    return conv_geometry(view, view.integers("x_shape"), view.input(1).shape);
  }
};

/// dy of one output channel over (n, oh, ow).
class ChannelRows final : public precision::OperandRows {
 public:
  ChannelRows(const ConvGeometry& g, const Tensor& dy, std::int64_t group)
      : g_(g), dy_(dy.values.data()), first_(group * g.group_outputs()) {}
  std::int64_t rows() const override { return g_.group_outputs(); }
  void read(std::int64_t row, double* k_values) const override {
    for (std::int64_t image = 0; image < g_.images; ++image) {
      const double* plane = dy_ + (image * g_.out_channels + first_ + row) * g_.out_pixels();
      std::copy(plane, plane + g_.out_pixels(), k_values + image * g_.out_pixels());
    }
  }

 private:
  const ConvGeometry& g_;
  const double* dy_;
  std::int64_t first_;
};

/// The image under one tap of one channel, over (n, oh, ow); +0 outside.
class TapRows final : public precision::OperandRows {
 public:
  TapRows(const ConvGeometry& g, const Tensor& x, std::int64_t group)
      : g_(g), x_(x.values.data()), first_(group * g.group_channels()) {}
  std::int64_t rows() const override { return g_.group_channels() * g_.taps(); }
  void read(std::int64_t row, double* k_values) const override {
    const std::int64_t channel = first_ + row / g_.taps();
    const std::int64_t tap = row % g_.taps();
    const std::int64_t back =
        tap / (g_.kernel_height * g_.kernel_width) * g_.dilation_depth - g_.pad_front;
    const std::int64_t down =
        tap / g_.kernel_width % g_.kernel_height * g_.dilation_height - g_.pad_top;
    const std::int64_t right = tap % g_.kernel_width * g_.dilation_width - g_.pad_left;
    for (std::int64_t image = 0; image < g_.images; ++image) {
      const double* plane = x_ + (image * g_.channels + channel) * g_.in_pixels();
      for (std::int64_t oz = 0; oz < g_.out_depth; ++oz)
        for (std::int64_t oy = 0; oy < g_.out_height; ++oy, k_values += g_.out_width)
          read_line(plane, oz * g_.stride_depth + back, oy * g_.stride_height + down, right,
                    k_values);
    }
  }

 private:
  void read_line(const double* plane, std::int64_t z, std::int64_t y, std::int64_t right,
                 double* k_values) const {
    const bool line_inside = z >= 0 && z < g_.in_depth && y >= 0 && y < g_.in_height;
    for (std::int64_t ox = 0; ox < g_.out_width; ++ox) {
      const std::int64_t x = ox * g_.stride_width + right;
      const bool inside = line_inside && x >= 0 && x < g_.in_width;
      k_values[ox] = inside ? plane[(z * g_.in_height + y) * g_.in_width + x] : 0.0;
    }
  }
  const ConvGeometry& g_;
  const double* x_;
  std::int64_t first_;
};

class ConvWeightGradient final : public SimpleOp {
 public:
  ConvWeightGradient()
      : SimpleOp({"ConvWeightGradient", "gradient of Conv by its weight, from (dy, x)",
                  OpClass::matrix, 2, 2, gradient_attributes("w_shape", "shape of the weight"),
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    require_output_shape(view, geometry(view));
    return {{view.integers("w_shape"), ElementType::floating}};
  }
  std::optional<Contraction> contraction(const NodeView& view) const override {
    const ConvGeometry g = geometry(view);
    Contraction c;
    c.role = GemmRole::wgrad;
    c.groups = g.groups;
    c.m = g.group_channels() * g.taps();
    c.n = g.group_outputs();
    c.dims = {{"N", g.images}, {"OH", g.out_depth * g.out_height}, {"OW", g.out_width}};
    c.m_input = 1;
    c.n_input = 0;
    return c;
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    const ConvGeometry g = geometry(e.view);
    const std::int64_t row_size = g.group_channels() * g.taps();
    for (std::int64_t group = 0; group < g.groups; ++group) {
      const ChannelRows gradients(g, *e.inputs[0], group);
      const TapRows taps(g, *e.inputs[1], group);
      precision::MatrixOutput out(e.outputs[0].values.data() + group * g.group_outputs() * row_size,
                                  row_size);
      e.matrix.multiply(g.images * g.out_pixels(), gradients, taps, {}, out);
    }
  }

 private:
  static ConvGeometry geometry(const NodeView& view) {
    return conv_geometry(view, view.input(1).shape, view.integers("w_shape"));
  }
};

}  // namespace

void register_conv_gradients(OpRegistry& registry) {
  registry.add(std::make_unique<ConvDataGradient>());
  registry.add(std::make_unique<ConvWeightGradient>());
}

}  // namespace npusim::workloads
