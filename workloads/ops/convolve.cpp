// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/convolve.h"

#include <cstring>

#include "precision/rows_side_by_side.h"

namespace npusim::workloads {
namespace {

/// Splits rows first .. first + count - 1, positions of images of `height` x `width` pixels (of all
/// depths), into stretches of one line: body(lane, length, image, z, y, x).
template <class Body>
void for_stretches(std::int64_t first, std::int64_t count, std::int64_t depth, std::int64_t height,
                   std::int64_t width, const Body& body) {
  for (std::int64_t lane = 0; lane < count;) {
    const std::int64_t row = first + lane;
    const std::int64_t x = row % width;
    const std::int64_t length = std::min(count - lane, width - x);
    body(lane, length, row / (width * height * depth), row / (width * height) % depth,
         row / width % height, x);
    lane += length;
  }
}

/// A few neighbouring pixels: a call to copy them would take longer than the copy.
void copy_run(const float* from, std::int64_t count, float* to) {
  constexpr std::int64_t kEight = 8;
  for (; count >= kEight; count -= kEight, from += kEight, to += kEight)
    std::memcpy(to, from, kEight * sizeof(float));
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
}

/// A line that windows side by side read, tap after tap.
class LineOfTaps {
 public:
  LineOfTaps(const ConvGeometry& g, std::int64_t extent, std::int64_t lanes)
      : taps_(g.kernel_width),
        dilation_(g.dilation_width),
        reach_((g.kernel_width - 1) * g.dilation_width),
        extent_(extent),
        lanes_(lanes) {}
  /// to[s * lanes + j] = line[from + j + s * dilation] for `count` j and every tap s, +0 outside
  /// the line or where there is none (nullptr); backwards: pixel from + j + reach() - s * dilation.
  void read(const double* line, std::int64_t from, std::int64_t count, bool backwards,
            float* to) const {
    if (line == nullptr) {
      for (std::int64_t s = 0; s < taps_; ++s) std::fill_n(to + s * lanes_, count, 0.0F);
      return;
    }
    constexpr std::int64_t kMost = 256;
    float pixels[kMost];
    if (count + reach_ > kMost) {
      for (std::int64_t s = 0; s < taps_; ++s)
        read_pixels(line, extent_, from + offset(s, backwards), 1, count, to + s * lanes_);
      return;
    }
    read_pixels(line, extent_, from, 1, count + reach_, pixels);
    for (std::int64_t s = 0; s < taps_; ++s)
      copy_run(pixels + offset(s, backwards), count, to + s * lanes_);
  }
  std::int64_t reach() const { return reach_; }

 private:
  std::int64_t offset(std::int64_t tap, bool backwards) const {
    return backwards ? reach_ - tap * dilation_ : tap * dilation_;
  }
  std::int64_t taps_, dilation_, reach_, extent_, lanes_;
};

/// The windows of one group as rows of K = channels * taps values; padding taps are +0.
class WindowRows final : public precision::OperandRows, public precision::RowsSideBySide {
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
  bool read_side_by_side(std::int64_t first, std::int64_t count, std::int64_t lanes,
                         float* to) const override {
    const LineOfTaps taps(g_, g_.in_width, lanes);
    for_stretches(first, count, g_.out_depth, g_.out_height, g_.out_width,
                  [&](std::int64_t lane, std::int64_t length, std::int64_t image, std::int64_t oz,
                      std::int64_t oy, std::int64_t ox) {
                    const double* planes =
                        x_ + (image * g_.channels + first_channel_) * g_.in_pixels();
                    const std::int64_t x = ox * g_.stride_width - g_.pad_left;
                    float* out = to + lane;
                    for (std::int64_t c = 0; c < g_.group_channels(); ++c)
                      for (std::int64_t t = 0; t < g_.kernel_depth; ++t)
                        for (std::int64_t r = 0; r < g_.kernel_height; ++r) {
                          const double* line =
                              line_of(planes + c * g_.in_pixels(),
                                      oz * g_.stride_depth + t * g_.dilation_depth - g_.pad_front,
                                      oy * g_.stride_height + r * g_.dilation_height - g_.pad_top);
                          if (g_.stride_width == 1)
                            taps.read(line, x, length, false, out);
                          else
                            read_apart(line, x, length, lanes, out);
                          out += g_.kernel_width * lanes;
                        }
                  });
    return true;
  }

 private:
  /// nullptr: in the padding.
  const double* line_of(const double* plane, std::int64_t z, std::int64_t y) const {
    const bool inside = z >= 0 && z < g_.in_depth && y >= 0 && y < g_.in_height;
    return inside ? plane + (z * g_.in_height + y) * g_.in_width : nullptr;
  }
  /// The taps of one line for windows that are some pixels apart.
  void read_apart(const double* line, std::int64_t x, std::int64_t length, std::int64_t lanes,
                  float* out) const {
    for (std::int64_t s = 0; s < g_.kernel_width; ++s, out += lanes) {
      if (line != nullptr)
        read_pixels(line, g_.in_width, x + s * g_.dilation_width, g_.stride_width, length, out);
      else
        std::fill_n(out, length, 0.0F);
    }
  }

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
    scatter(row, column, count, values);
  }
  void write_floats(std::int64_t row, std::int64_t column, std::int64_t count,
                    const float* values) override {
    scatter(row, column, count, values);
  }

 private:
  template <class Real>
  void scatter(std::int64_t row, std::int64_t column, std::int64_t count, const Real* values) {
    while (count > 0) {
      const std::int64_t image = column / pixels_;
      const std::int64_t pixel = column % pixels_;
      const std::int64_t length = std::min(count, pixels_ - pixel);
      double* to = y_ + (image * channels_ + first_ + row) * pixels_ + pixel;
      for (std::int64_t i = 0; i < length; ++i) to[i] = static_cast<double>(values[i]);
      column += length;
      values += length;
      count -= length;
    }
  }

  double* y_;
  std::int64_t channels_, pixels_, first_;
};

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
class ReachedOutputs final : public precision::OperandRows, public precision::RowsSideBySide {
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
          read_window_line(planes + (oz * g_.out_height + oy) * g_.out_width, x,
                           k_values + (t * g_.kernel_height + r) * g_.kernel_width);
      }
    }
  }
  bool read_side_by_side(std::int64_t first, std::int64_t count, std::int64_t lanes,
                         float* to) const override {
    if (g_.stride_width != 1) return false;  // neighbours reach different taps
    const LineOfTaps taps(g_, g_.out_width, lanes);
    for_stretches(first, count, g_.in_depth, g_.in_height, g_.in_width,
                  [&](std::int64_t lane, std::int64_t length, std::int64_t image, std::int64_t z,
                      std::int64_t y, std::int64_t x) {
                    const double* planes =
                        dy_ + (image * g_.out_channels + first_) * g_.out_pixels();
                    float* out = to + lane;
                    for (std::int64_t k = 0; k < g_.group_outputs(); ++k)
                      for (std::int64_t t = 0; t < g_.kernel_depth; ++t)
                        for (std::int64_t r = 0; r < g_.kernel_height; ++r) {
                          const std::int64_t oz = reached(z + g_.pad_front - t * g_.dilation_depth,
                                                          g_.stride_depth, g_.out_depth);
                          const std::int64_t oy = reached(y + g_.pad_top - r * g_.dilation_height,
                                                          g_.stride_height, g_.out_height);
                          const double* line = oz < 0 || oy < 0
                                                   ? nullptr
                                                   : planes + k * g_.out_pixels() +
                                                         (oz * g_.out_height + oy) * g_.out_width;
                          taps.read(line, x + g_.pad_left - taps.reach(), length, true, out);
                          out += g_.kernel_width * lanes;
                        }
                  });
    return true;
  }

 private:
  void read_window_line(const double* line, std::int64_t x, double* k_values) const {
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

precision::Bias by_channel(const double* bias, std::int64_t first) {
  if (bias == nullptr) return {};
  return {precision::Bias::Axis::by_row, bias + first};
}

}  // namespace

void convolve(const MatrixEngine& engine, const ConvGeometry& g, const Tensor& x, const Tensor& w,
              const double* bias, Tensor& y) {
  const std::int64_t k = g.group_channels() * g.taps();
  for (std::int64_t group = 0; group < g.groups; ++group) {
    const std::int64_t first = group * g.group_outputs();
    const precision::MatrixRows weights(w.values.data() + first * k, g.group_outputs(), k, k, 1);
    const WindowRows windows(g, x, group);
    ImageOutput out(y, g.out_channels, g.out_pixels(), first);
    engine.multiply(k, weights, windows, by_channel(bias, first), out);
  }
}

void convolve_transposed(const MatrixEngine& engine, const ConvGeometry& g, const Tensor& y,
                         const Tensor& w, const double* bias, Tensor& x) {
  for (std::int64_t group = 0; group < g.groups; ++group) {
    const std::int64_t first = group * g.group_channels();
    const TransposedWeights weights(g, w, group);
    const ReachedOutputs outputs(g, y, group);
    ImageOutput out(x, g.channels, g.in_pixels(), first);
    engine.multiply(g.group_outputs() * g.taps(), weights, outputs, by_channel(bias, first), out);
  }
}

std::optional<Window> window_over_outputs(const ConvGeometry& g) {
  std::optional<Window> w = g.window();
  if (!w) return w;
  w->channels = g.group_outputs();
  std::swap(w->in_height, w->out_height);
  std::swap(w->in_width, w->out_width);
  w->stride_height = w->stride_width = 1;
  return w;
}

Contraction transposed_contraction(const ConvGeometry& g) {
  Contraction c;
  c.role = GemmRole::dgrad;
  c.groups = g.groups;
  c.m = g.images * g.in_pixels();
  c.n = g.group_channels();
  c.dims = {
      {"K", g.group_outputs()}, {"R", g.kernel_depth * g.kernel_height}, {"S", g.kernel_width}};
  c.window = window_over_outputs(g);
  return c;
}

}  // namespace npusim::workloads
