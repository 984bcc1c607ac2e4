// SPDX-License-Identifier: Apache-2.0
// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear: y = saturate(round(x / scale) + zero
// point) and back, halves to even.
#include <cmath>

#include "workloads/onnx_types.h"
#include "workloads/ops/families.h"
#include "workloads/ops/quantized.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

std::vector<AttributeSpec> scale_attributes(bool with_type) {
  std::vector<AttributeSpec> result = {
      {"axis", std::int64_t{1}, false, "axis that scales run along"},
      {"block_size", std::int64_t{0}, false, "elements of a scale along the axis; 0: no blocks"}};
  if (!with_type) return result;
  result.push_back({"output_dtype", std::int64_t{0}, false,
                    "ONNX element type, where no zero point has one; default uint8"});
  result.push_back({"saturate", std::int64_t{1}, false, "of 8-bit floats"});
  return result;
}

void check_scale(const NodeView& view) {
  ScaleIndex(view.input(0).shape, view.input(1).shape, view.integer("axis"),
             view.integer("block_size"));
  if (view.has_input(2) && view.input(2).shape != view.input(1).shape)
    shape_error("zero point " + to_string(view.input(2).shape) + " and scale " +
                to_string(view.input(1).shape) + " have different shapes");
}

class QuantizeLinear final : public SimpleOp {
 public:
  QuantizeLinear()
      : SimpleOp({"QuantizeLinear", "round(x / scale) + zero point, saturated", OpClass::vector, 2,
                  3, scale_attributes(true)}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_scale(view);
    DeclaredType type{ElementType::uint8, ""};
    if (view.has_input(2))
      type = {view.input(2).type, view.input(2).format};
    else if (view.integer("output_dtype") != 0)
      type = onnx_type(view.integer("output_dtype"));
    if (!is_integer(type.type)) shape_error("the zero point must be an integer");
    return {{view.input(0).shape, type.type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    return {{"div", n}, {"add", n}, {"max", 2 * n}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    Tensor& y = e.outputs[0];
    const ScaleIndex index(x.shape, e.inputs[1]->shape, e.view.integer("axis"),
                           e.view.integer("block_size"));
    const bool shifted = e.inputs.size() > 2 && e.inputs[2] != nullptr;
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      const std::size_t s = index(static_cast<std::int64_t>(i));
      y.values[i] = quantized(e.internal(x.values[i] / e.inputs[1]->values[s]),
                              shifted ? e.inputs[2]->values[s] : 0.0, y.type);
    }
  }
};

class DequantizeLinear final : public SimpleOp {
 public:
  DequantizeLinear()
      : SimpleOp({"DequantizeLinear", "(x - zero point) * scale", OpClass::vector, 2, 3,
                  scale_attributes(false)}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_scale(view);
    const std::string& format = view.input(1).format;
    return {{view.input(0).shape, ElementType::floating, format.empty() ? "fp32" : format}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    return {{"add", n}, {"mul", n}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    const ScaleIndex index(x.shape, e.inputs[1]->shape, e.view.integer("axis"),
                           e.view.integer("block_size"));
    const bool shifted = e.inputs.size() > 2 && e.inputs[2] != nullptr;
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      const std::size_t s = index(static_cast<std::int64_t>(i));
      const double steps = x.values[i] - (shifted ? e.inputs[2]->values[s] : 0.0);
      e.outputs[0].values[i] = e.internal(steps * e.inputs[1]->values[s]);
    }
  }
};

class DynamicQuantizeLinear final : public SimpleOp {
 public:
  DynamicQuantizeLinear()
      : SimpleOp({"DynamicQuantizeLinear",
                  "x as uint8 by the scale and zero point that its range (with 0) asks for",
                  OpClass::vector,
                  1,
                  1,
                  {},
                  false,
                  3,
                  3}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    require_floating(view, 0);
    return {{view.input(0).shape, ElementType::uint8},
            {{}, ElementType::floating, "fp32"},
            {{}, ElementType::uint8}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.input(0));
    return {{"max", 4 * n}, {"div", n}, {"add", n}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& x = e.inputs[0]->values;
    double low = 0.0;
    double high = 0.0;
    for (const double value : x) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
    const double scale = e.internal(e.internal(high - low) / 255.0);
    const double zero_point =
        scale == 0.0 ? 0.0 : quantized(e.internal(-low / scale), 0.0, ElementType::uint8);
    for (std::size_t i = 0; i < x.size(); ++i)
      e.outputs[0].values[i] =
          scale == 0.0 ? zero_point
                       : quantized(e.internal(x[i] / scale), zero_point, ElementType::uint8);
    e.outputs[1].values = {scale};
    e.outputs[2].values = {zero_point};
  }
};

}  // namespace

void register_quantization(OpRegistry& registry) {
  registry.add(std::make_unique<QuantizeLinear>());
  registry.add(std::make_unique<DequantizeLinear>());
  registry.add(std::make_unique<DynamicQuantizeLinear>());
}

}  // namespace npusim::workloads
