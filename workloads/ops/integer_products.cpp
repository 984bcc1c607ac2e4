// SPDX-License-Identifier: Apache-2.0
// MatMulInteger, ConvInteger, QLinearMatMul, QLinearConv: products of integers without their zero
// points. The operands go through the MAC array as they are; sums are exact where its accumulator
// holds them (binary32: to 2^24).
#include <cmath>

#include "workloads/ops/convolve.h"
#include "workloads/ops/families.h"
#include "workloads/ops/matmul_shape.h"
#include "workloads/ops/quantized.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

/// Inputs by their place in the node; -1: the op has none.
struct Places {
  int b, a_zero, b_zero;
  int a_scale = -1, b_scale = -1, y_scale = -1, y_zero = -1, bias = -1;
};
constexpr Places kInteger = {1, 2, 3};
constexpr Places kQLinear = {3, 2, 5, 1, 4, 6, 7, 8};

const Tensor* optional_input(const Evaluation& e, int i) {
  return i >= 0 && i < static_cast<int>(e.inputs.size()) ? e.inputs[static_cast<std::size_t>(i)]
                                                         : nullptr;
}

/// Zero points of rank 2 and more (1 a row or column) as vectors.
Tensor flattened(const Tensor& tensor) {
  Tensor result = tensor;
  result.shape = {static_cast<std::int64_t>(tensor.values.size())};
  return result;
}

std::vector<double> centred(const Evaluation& e, int operand, int zero, std::int64_t axis) {
  const Tensor& x = *e.inputs[static_cast<std::size_t>(operand)];
  const Tensor* zero_point = optional_input(e, zero);
  if (zero_point == nullptr) return x.values;
  const Tensor flat = flattened(*zero_point);
  return without_zero_point(x, &flat, axis);
}

class IntegerProduct : public SimpleOp {
 public:
  IntegerProduct(OpFacts facts, const Places& places)
      : SimpleOp(std::move(facts)), places_(places) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    for (const int i : {0, places_.b})
      if (!is_integer(view.input(i).type))
        throw base::InputError(view.input(i).name + " must hold integers", "wrong-type");
    const bool requantised = places_.y_scale >= 0;
    return {
        {result_shape(view), requantised ? view.input(places_.y_zero).type : ElementType::int32}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    if (places_.y_scale < 0) return {};
    const std::int64_t n = elements_of(view.output());
    return {{"mul", n}, {"add", n}, {"max", 2 * n}};
  }
  void forward(Evaluation& e) const override {
    sums(e, e.outputs[0]);
    Tensor& y = e.outputs[0];
    if (places_.y_scale < 0) {
      for (double& value : y.values) value = wrapped(value, y.type);
      return;
    }
    requantise(e, y);
  }

 protected:
  virtual Shape result_shape(const NodeView& view) const = 0;
  virtual void sums(Evaluation& e, Tensor& y) const = 0;
  /// Axis of the result that scales of the second operand run along.
  virtual std::int64_t output_axis(std::size_t rank) const = 0;
  const Places& places() const { return places_; }

 private:
  void requantise(Evaluation& e, Tensor& y) const {
    const auto input = [&](int i) { return flattened(*e.inputs[static_cast<std::size_t>(i)]); };
    const Tensor a_scale = input(places_.a_scale);
    const Tensor b_scale = input(places_.b_scale);
    const double y_scale = input(places_.y_scale).values.at(0);
    const double y_zero = input(places_.y_zero).values.at(0);
    const std::int64_t axis = output_axis(y.shape.size());
    const ScaleIndex by_column(y.shape, b_scale.shape, axis);
    const ScaleIndex by_row(y.shape, a_scale.shape, -2);
    for (std::size_t i = 0; i < y.values.size(); ++i) {
      const double product = e.internal(a_scale.values[by_row(static_cast<std::int64_t>(i))] *
                                        b_scale.values[by_column(static_cast<std::int64_t>(i))]);
      const double factor = e.internal(product / y_scale);
      y.values[i] = quantized(e.internal(y.values[i] * factor), y_zero, y.type);
    }
  }

  Places places_;
};

class MatMulIntegers final : public IntegerProduct {
 public:
  using IntegerProduct::IntegerProduct;
  std::optional<Contraction> contraction(const NodeView& view) const override {
    const MatMulShape s = shape_of(view);
    Contraction c = s.contraction(GemmRole::matmul, {{"K", s.k}});
    c.n_input = places().b;
    return c;
  }

 protected:
  Shape result_shape(const NodeView& view) const override { return shape_of(view).result(); }
  std::int64_t output_axis(std::size_t) const override { return -1; }
  void sums(Evaluation& e, Tensor& y) const override {
    shape_of(e.view).multiply(e.matrix, centred(e, 0, places().a_zero, -2),
                              centred(e, places().b, places().b_zero, -1), y.values);
  }

 private:
  MatMulShape shape_of(const NodeView& view) const {
    return matmul_shape(view.input(0).shape, view.input(places().b).shape);
  }
};

class ConvIntegers final : public IntegerProduct {
 public:
  using IntegerProduct::IntegerProduct;
  std::optional<Contraction> contraction(const NodeView& view) const override {
    const ConvGeometry g = geometry(view);
    Contraction c;
    c.role = GemmRole::fprop;
    c.groups = g.groups;
    c.m = g.images * g.out_pixels();
    c.n = g.group_outputs();
    c.dims = {
        {"C", g.group_channels()}, {"R", g.kernel_depth * g.kernel_height}, {"S", g.kernel_width}};
    c.n_input = places().b;
    c.bias_input = places().bias >= 0 && view.has_input(places().bias) ? places().bias : -1;
    c.window = g.window();
    return c;
  }

 protected:
  Shape result_shape(const NodeView& view) const override { return geometry(view).output_shape(); }
  std::int64_t output_axis(std::size_t) const override { return 1; }
  void sums(Evaluation& e, Tensor& y) const override {
    Tensor x(e.inputs[0]->shape);
    x.values = centred(e, 0, places().a_zero, 1);
    Tensor w(e.inputs[static_cast<std::size_t>(places().b)]->shape);
    w.values = centred(e, places().b, places().b_zero, 0);
    const Tensor* bias = optional_input(e, places().bias);
    convolve(e.matrix, geometry(e.view), x, w, bias == nullptr ? nullptr : bias->values.data(), y);
  }

 private:
  ConvGeometry geometry(const NodeView& view) const {
    return conv_geometry(view, view.input(0).shape, view.input(places().b).shape);
  }
};

}  // namespace

void register_integer_products(OpRegistry& registry) {
  registry.add(std::make_unique<MatMulIntegers>(
      OpFacts{"MatMulInteger", "matrix product of (a - zero point) and (b - zero point) as int32",
              OpClass::matrix, 2, 4},
      kInteger));
  registry.add(std::make_unique<ConvIntegers>(
      OpFacts{"ConvInteger", "convolution of (x - zero point) and (w - zero point) as int32",
              OpClass::matrix, 2, 4, conv_attributes()},
      kInteger));
  registry.add(std::make_unique<MatMulIntegers>(
      OpFacts{"QLinearMatMul", "matrix product of quantised operands, quantised again",
              OpClass::matrix, 8, 8},
      kQLinear));
  registry.add(std::make_unique<ConvIntegers>(
      OpFacts{"QLinearConv",
              "convolution of quantised operands with an int32 bias, quantised again",
              OpClass::matrix, 8, 9, conv_attributes()},
      kQLinear));
}

}  // namespace npusim::workloads
