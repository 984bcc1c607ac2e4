// SPDX-License-Identifier: Apache-2.0
// Windows (Hann, Hamming, Blackman), DFT, STFT, MelWeightMatrix, as ONNX 17 defines them. Fourier
// sums are taken term by term (no FFT), sines and cosines of exact multiples of pi; each product
// and each sum is rounded once.
#include <cmath>

#include "workloads/detmath.h"
#include "workloads/onnx_types.h"
#include "workloads/ops/axes.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

std::int64_t scalar(const NodeView& view, int input) {
  const std::vector<std::int64_t> values = view.constant_integers(input);
  if (values.size() != 1) shape_error(view.input(input).name + " must be one integer");
  return values[0];
}

double cos_of_turns(double turns) {
  return det_sincospi(2.0 * turns).cos;
}

/// a0 - a1 cos(2 pi n / N) + a2 cos(4 pi n / N).
class CosineWindow final : public SimpleOp {
 public:
  CosineWindow(const char* name, double a0, double a1, double a2)
      : SimpleOp({name,
                  "a window of cosines, of the given length",
                  OpClass::vector,
                  1,
                  1,
                  {{"output_datatype", std::int64_t{1}, false, "ONNX element type of the result"},
                   {"periodic", std::int64_t{1}, false, "0: symmetric"}},
                  false,
                  1,
                  1,
                  {0}}),
        a0_(a0),
        a1_(a1),
        a2_(a2) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const std::int64_t length = scalar(view, 0);
    if (length < 0) shape_error("the length of a window is not negative");
    const DeclaredType type = onnx_type(view.integer("output_datatype"));
    return {{{length}, type.type, type.format}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    return {{"exp", a2_ == 0.0 ? n : 2 * n}, {"mul", n}, {"add", n}};
  }
  void forward(Evaluation& e) const override {
    std::vector<double>& y = e.outputs[0].values;
    const auto length = static_cast<double>(y.size());
    const double period = e.view.integer("periodic") != 0 ? length : length - 1;
    for (std::size_t n = 0; n < y.size(); ++n) {
      const double turns = period > 0 ? static_cast<double>(n) / period : 0.0;
      y[n] = e.internal(a0_ - a1_ * cos_of_turns(turns) + a2_ * cos_of_turns(2.0 * turns));
    }
  }

 private:
  double a0_, a1_, a2_;
};

struct Complex {
  double re = 0.0, im = 0.0;
};

/// sum over n of x(n) * exp(-+2 pi i k n / length).
template <class Sample>
Complex fourier_sum(std::int64_t k, std::int64_t count, std::int64_t length, bool inverse,
                    const precision::Rounder& round, const Sample& sample) {
  Complex sum;
  for (std::int64_t n = 0; n < count; ++n) {
    const double turns = static_cast<double>(k * n % length) / static_cast<double>(length);
    const SinCos at = det_sincospi(2.0 * turns);
    const double sine = inverse ? at.sin : -at.sin;
    const Complex x = sample(n);
    sum.re = round(sum.re + round(round(x.re * at.cos) - round(x.im * sine)));
    sum.im = round(sum.im + round(round(x.re * sine) + round(x.im * at.cos)));
  }
  return sum;
}

std::vector<VectorWork> fourier_work(std::int64_t terms) {
  return {{"mul", 4 * terms}, {"add", 4 * terms}};
}

void check_complex(const NodeView& view) {
  const Shape& x = view.input(0).shape;
  if (x.size() < 3 || (x.back() != 1 && x.back() != 2))
    shape_error("x must have rank 3 or more and 1 or 2 (real, imaginary) as last dimension, not " +
                to_string(x));
}

Complex sample_at(const Tensor& x, std::int64_t index) {
  const std::int64_t parts = x.shape.back();
  const auto at = static_cast<std::size_t>(index * parts);
  return {x.values[at], parts == 2 ? x.values[at + 1] : 0.0};
}

class Dft final : public SimpleOp {
 public:
  Dft()
      : SimpleOp({"DFT",
                  "discrete Fourier transform along an axis of x (..., 1 or 2)",
                  OpClass::vector,
                  1,
                  2,
                  {{"axis", std::int64_t{1}, false, "axis to transform"},
                   {"inverse", std::int64_t{0}, false, "1: the inverse, divided by the length"},
                   {"onesided", std::int64_t{0}, false, "1: only the first half of a real signal"}},
                  false,
                  1,
                  1,
                  {1}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_complex(view);
    const bool half = view.integer("onesided") != 0;
    if (half && (view.input(0).shape.back() != 1 || view.integer("inverse") != 0))
      shape_error("onesided is for real signals and the forward transform");
    Shape y = view.input(0).shape;
    const std::int64_t length = length_of(view);
    y[axis_of(view)] = half ? length / 2 + 1 : length;
    y.back() = 2;
    return {{y, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return fourier_work(elements_of(view.output()) / 2 * length_of(view));
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    Tensor& y = e.outputs[0];
    const std::size_t axis = axis_of(e.view);
    const std::int64_t length = length_of(e.view);
    const std::int64_t inner = extent_product(x.shape, axis + 1, x.shape.size() - 1);
    const std::int64_t bins = y.shape[axis];
    const std::int64_t samples = std::min(length, x.shape[axis]);
    const bool inverse = e.view.integer("inverse") != 0;
    e.parallel(extent_product(x.shape, 0, axis) * bins * inner, [&](std::int64_t i) {
      const std::int64_t outer = i / (bins * inner);
      const std::int64_t k = i / inner % bins;
      Complex sum = fourier_sum(k, samples, length, inverse, e.internal, [&](std::int64_t n) {
        return sample_at(x, (outer * x.shape[axis] + n) * inner + i % inner);
      });
      const auto at = static_cast<std::size_t>(2 * i);
      const double scale = inverse ? static_cast<double>(length) : 1.0;
      y.values[at] = inverse ? e.internal(sum.re / scale) : sum.re;
      y.values[at + 1] = inverse ? e.internal(sum.im / scale) : sum.im;
    });
  }

 private:
  static std::size_t axis_of(const NodeView& view) {
    const std::size_t axis = positive_axis(view.integer("axis"), view.input(0).shape.size());
    if (axis + 1 == view.input(0).shape.size()) shape_error("axis is the real and imaginary part");
    return axis;
  }
  static std::int64_t length_of(const NodeView& view) {
    const std::int64_t length =
        view.has_input(1) ? scalar(view, 1) : view.input(0).shape[axis_of(view)];
    if (length < 1) shape_error("the length of the transform must be positive");
    return length;
  }
};

class Stft final : public SimpleOp {
 public:
  Stft()
      : SimpleOp({"STFT",
                  "Fourier transforms of windowed frames of x (batch, samples, 1 or 2)",
                  OpClass::vector,
                  2,
                  4,
                  {{"onesided", std::int64_t{1}, false, "1: only the first half"}},
                  false,
                  1,
                  1,
                  {1, 3}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_complex(view);
    const Shape& x = view.input(0).shape;
    if (x.size() != 3) shape_error("x must be (batch, samples, parts), not " + to_string(x));
    const std::int64_t length = length_of(view);
    const std::int64_t step = scalar(view, 1);
    if (length < 1 || length > x[1] || step < 1)
      shape_error("frames of " + std::to_string(length) + " every " + std::to_string(step) +
                  " samples do not fit " + to_string(x));
    if (view.has_input(2) && view.input(2).shape != Shape{length})
      shape_error("window " + view.input(2).name + " must have the length of a frame");
    const std::int64_t bins = view.integer("onesided") != 0 ? length / 2 + 1 : length;
    return {{{x[0], (x[1] - length) / step + 1, bins, 2}, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return fourier_work(elements_of(view.output()) / 2 * length_of(view));
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    Tensor& y = e.outputs[0];
    const std::int64_t length = length_of(e.view);
    const std::int64_t step = scalar(e.view, 1);
    const Tensor* window = e.view.has_input(2) ? e.inputs[2] : nullptr;
    const std::int64_t frames = y.shape[1];
    const std::int64_t bins = y.shape[2];
    e.parallel(y.shape[0] * frames * bins, [&](std::int64_t i) {
      const std::int64_t start = i / (frames * bins) * x.shape[1] + i / bins % frames * step;
      const Complex sum =
          fourier_sum(i % bins, length, length, false, e.internal, [&](std::int64_t n) {
            Complex sample = sample_at(x, start + n);
            if (window == nullptr) return sample;
            const double weight = window->values[static_cast<std::size_t>(n)];
            return Complex{e.internal(sample.re * weight), e.internal(sample.im * weight)};
          });
      y.values[static_cast<std::size_t>(2 * i)] = sum.re;
      y.values[static_cast<std::size_t>(2 * i + 1)] = sum.im;
    });
  }

 private:
  static std::int64_t length_of(const NodeView& view) {
    if (view.has_input(3)) return scalar(view, 3);
    if (!view.has_input(2)) shape_error("neither a window nor a frame length is given");
    const Shape& window = view.input(2).shape;
    if (window.size() != 1) shape_error("the window must have rank 1, not " + to_string(window));
    return window[0];
  }
};

/// Triangles that are equally wide on the mel scale: mel = 2595 log10(1 + hertz / 700).
class MelWeightMatrix final : public SimpleOp {
 public:
  MelWeightMatrix()
      : SimpleOp({"MelWeightMatrix",
                  "weights from spectrogram bins to mel bins",
                  OpClass::vector,
                  5,
                  5,
                  {{"output_datatype", std::int64_t{1}, false, "ONNX element type of the result"}},
                  false,
                  1,
                  1,
                  {0, 1, 2, 3, 4}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    if (scalar(view, 0) < 1 || scalar(view, 1) < 1 || scalar(view, 2) < 1)
      shape_error("the numbers of bins and the sample rate must be positive");
    const DeclaredType type = onnx_type(view.integer("output_datatype"));
    return {{{scalar(view, 1) / 2 + 1, scalar(view, 0)}, type.type, type.format}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"div", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<std::int64_t> edges = bin_edges(e.view);
    Tensor& y = e.outputs[0];
    std::fill(y.values.begin(), y.values.end(), 0.0);
    for (std::size_t m = 0; m + 2 < edges.size(); ++m) {
      const auto set = [&](std::int64_t bin, double weight) {
        if (bin >= 0 && bin < y.shape[0])
          y.values[static_cast<std::size_t>(bin * y.shape[1]) + m] = e.internal(weight);
      };
      const auto rise = static_cast<double>(edges[m + 1] - edges[m]);
      const auto fall = static_cast<double>(edges[m + 2] - edges[m + 1]);
      if (rise == 0.0) set(edges[m + 1], 1.0);
      for (std::int64_t bin = edges[m]; rise > 0.0 && bin <= edges[m + 1]; ++bin)
        set(bin, static_cast<double>(bin - edges[m]) / rise);
      for (std::int64_t bin = edges[m + 1]; bin < edges[m + 2]; ++bin)
        set(bin, static_cast<double>(edges[m + 2] - bin) / fall);
    }
  }

 private:
  static double mel_of(double hertz) {
    return 2595.0 * det_log(1.0 + hertz / 700.0) / det_log(10.0);
  }
  static std::vector<std::int64_t> bin_edges(const NodeView& view) {
    const std::int64_t count = scalar(view, 0) + 2;
    const double low = mel_of(view.constant(3).values.at(0));
    const double step = (mel_of(view.constant(4).values.at(0)) - low) / static_cast<double>(count);
    std::vector<std::int64_t> edges;
    for (std::int64_t i = 0; i < count; ++i) {
      const double mel = low + static_cast<double>(i) * step;
      const double hertz = 700.0 * (det_pow(10.0, mel / 2595.0) - 1.0);
      const double bin = std::floor(static_cast<double>(scalar(view, 1) + 1) * hertz /
                                    static_cast<double>(scalar(view, 2)));
      edges.push_back(static_cast<std::int64_t>(saturated(bin, ElementType::int32)));
    }
    return edges;
  }
};

}  // namespace

void register_signal(OpRegistry& registry) {
  registry.add(std::make_unique<CosineWindow>("HannWindow", 0.5, 0.5, 0.0));
  registry.add(std::make_unique<CosineWindow>("HammingWindow", 25.0 / 46.0, 21.0 / 46.0, 0.0));
  registry.add(std::make_unique<CosineWindow>("BlackmanWindow", 0.42, 0.5, 0.08));
  registry.add(std::make_unique<Dft>());
  registry.add(std::make_unique<Stft>());
  registry.add(std::make_unique<MelWeightMatrix>());
}

}  // namespace npusim::workloads
