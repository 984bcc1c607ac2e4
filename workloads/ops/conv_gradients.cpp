// SPDX-License-Identifier: Apache-2.0
// The two gradients of Conv, as contractions of their own: the data gradient sums over (K, R, S),
// the weight gradient over (N, OH, OW), the longest sum of training.
#include "precision/rows_side_by_side.h"
#include "workloads/ops/convolve.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"
#include "workloads/ops/winograd_convolve.h"

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

class ConvDataGradient final : public SimpleOp {
 public:
  ConvDataGradient()
      : SimpleOp({"ConvDataGradient", "gradient of Conv by its image, from (dy, w)",
                  OpClass::matrix, 2, 2, gradient_attributes("x_shape", "shape of the image"),
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    require_output_shape(view, data_gradient_geometry(view));
    return {{view.integers("x_shape"), ElementType::floating}};
  }
  std::optional<Contraction> contraction(const NodeView& view) const override {
    return transposed_contraction(data_gradient_geometry(view));
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    const ConvGeometry g = data_gradient_geometry(e.view);
    if (const auto* engine = dynamic_cast<const WinogradEngine*>(&e.matrix))
      return convolve_transposed_by_winograd(*engine, g, *e.inputs[0], *e.inputs[1], e.outputs[0],
                                             e.parallel);
    convolve_transposed(e.matrix, g, *e.inputs[0], *e.inputs[1], nullptr, e.outputs[0]);
  }
};

/// dy of one output channel over (n, oh, ow).
class ChannelRows final : public precision::OperandRows {
 public:
  ChannelRows(const ConvGeometry& g, const Tensor& dy, std::int64_t group)
      : g_(g), dy_(dy.values.data()), first_(group * g.group_outputs()) {}
  std::int64_t rows() const override { return g_.group_outputs(); }
  void read(std::int64_t row, double* k_values) const override { copy(row, k_values); }
  void read_floats(std::int64_t row, std::int64_t, float* k_values) const override {
    copy(row, k_values);
  }

 private:
  template <class Real>
  void copy(std::int64_t row, Real* k_values) const {
    for (std::int64_t image = 0; image < g_.images; ++image) {
      const double* plane = dy_ + (image * g_.out_channels + first_ + row) * g_.out_pixels();
      for (std::int64_t i = 0; i < g_.out_pixels(); ++i)
        k_values[image * g_.out_pixels() + i] = static_cast<Real>(plane[i]);
    }
  }

  const ConvGeometry& g_;
  const double* dy_;
  std::int64_t first_;
};

/// Images with their padding, some channels of one at a time, so that every tap of a window has an
/// offset of its own.
class PaddedImage {
 public:
  PaddedImage(const ConvGeometry& g, std::int64_t channels)
      : g_(g),
        width_(extent(g.in_width, g.pad_left, g.out_width, g.stride_width, g.kernel_width,
                      g.dilation_width)),
        height_(extent(g.in_height, g.pad_top, g.out_height, g.stride_height, g.kernel_height,
                       g.dilation_height)),
        depth_(extent(g.in_depth, g.pad_front, g.out_depth, g.stride_depth, g.kernel_depth,
                      g.dilation_depth)),
        pixels_(channels > kMostPixels / width_ / height_ / depth_
                    ? 0
                    : static_cast<std::size_t>(channels * plane())) {}
  /// What a cache holds; larger images are better read line by line.
  bool fits() const { return !pixels_.empty(); }
  void load(const double* planes, std::int64_t channels) {
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t z = 0; z < g_.in_depth; ++z)
        for (std::int64_t y = 0; y < g_.in_height; ++y) {
          const double* line = planes + c * g_.in_pixels() + (z * g_.in_height + y) * g_.in_width;
          float* to =
              pixels_.data() + c * plane() + at(z + g_.pad_front, y + g_.pad_top, g_.pad_left);
          for (std::int64_t x = 0; x < g_.in_width; ++x) to[x] = static_cast<float>(line[x]);
        }
  }
  /// Of a tap from the first pixel of its window.
  std::int64_t offset(std::int64_t channel, std::int64_t tap) const {
    return channel * plane() + at(tap / (g_.kernel_height * g_.kernel_width) * g_.dilation_depth,
                                  tap / g_.kernel_width % g_.kernel_height * g_.dilation_height,
                                  tap % g_.kernel_width * g_.dilation_width);
  }
  /// The first pixel of the window of an output.
  const float* window(std::int64_t oz, std::int64_t oy, std::int64_t ox) const {
    return pixels_.data() + at(oz * g_.stride_depth, oy * g_.stride_height, ox * g_.stride_width);
  }

 private:
  static constexpr std::int64_t kMostPixels = std::int64_t{64} << 10;
  /// Of the image and of all that windows reach.
  static std::int64_t extent(std::int64_t in, std::int64_t pad, std::int64_t out,
                             std::int64_t stride, std::int64_t kernel, std::int64_t dilation) {
    return std::max<std::int64_t>(
        1, std::max(pad + in, (out - 1) * stride + (kernel - 1) * dilation + 1));
  }
  std::int64_t plane() const { return depth_ * height_ * width_; }
  std::int64_t at(std::int64_t z, std::int64_t y, std::int64_t x) const {
    return (z * height_ + y) * width_ + x;
  }

  const ConvGeometry& g_;
  std::int64_t width_, height_, depth_;
  std::vector<float> pixels_;
};

/// The image under one tap of one channel, over (n, oh, ow); +0 outside.
class TapRows final : public precision::OperandRows, public precision::RowsSideBySide {
 public:
  TapRows(const ConvGeometry& g, const Tensor& x, std::int64_t group)
      : g_(g), x_(x.values.data()), first_(group * g.group_channels()) {}
  std::int64_t rows() const override { return g_.group_channels() * g_.taps(); }
  void read(std::int64_t row, double* k_values) const override { read_tap(row, k_values); }
  void read_floats(std::int64_t row, std::int64_t, float* k_values) const override {
    read_tap(row, k_values);
  }
  bool read_side_by_side(std::int64_t first, std::int64_t count, std::int64_t lanes,
                         float* to) const override {
    const std::int64_t channel = first / g_.taps();
    const std::int64_t channels = (first + count - 1) / g_.taps() - channel + 1;
    PaddedImage padded(g_, channels);
    if (!padded.fits()) return false;
    std::vector<std::int64_t> offsets;
    for (std::int64_t row = first; row < first + count; ++row)
      offsets.push_back(padded.offset(row / g_.taps() - channel, row % g_.taps()));
    for (std::int64_t image = 0; image < g_.images; ++image) {
      padded.load(x_ + (image * g_.channels + first_ + channel) * g_.in_pixels(), channels);
      for (std::int64_t oz = 0; oz < g_.out_depth; ++oz)
        for (std::int64_t oy = 0; oy < g_.out_height; ++oy)
          for (std::int64_t ox = 0; ox < g_.out_width; ++ox, to += lanes) {
            const float* const window = padded.window(oz, oy, ox);
            for (std::int64_t l = 0; l < count; ++l)
              to[l] = window[offsets[static_cast<std::size_t>(l)]];
          }
    }
    return true;
  }

 private:
  template <class Real>
  void read_tap(std::int64_t row, Real* k_values) const {
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

  template <class Real>
  void read_line(const double* plane, std::int64_t z, std::int64_t y, std::int64_t right,
                 Real* k_values) const {
    if (z < 0 || z >= g_.in_depth || y < 0 || y >= g_.in_height) {
      std::fill_n(k_values, g_.out_width, Real{0});
      return;
    }
    read_pixels(plane + (z * g_.in_height + y) * g_.in_width, g_.in_width, right, g_.stride_width,
                g_.out_width, k_values);
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

ConvGeometry data_gradient_geometry(const NodeView& view) {
  return conv_geometry(view, view.integers("x_shape"), view.input(1).shape);
}

void register_conv_gradients(OpRegistry& registry) {
  registry.add(std::make_unique<ConvDataGradient>());
  registry.add(std::make_unique<ConvWeightGradient>());
}

}  // namespace npusim::workloads
