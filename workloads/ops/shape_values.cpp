// SPDX-License-Identifier: Apache-2.0
// Tensors made of shapes and attributes: Shape, Size, Constant, ConstantOfShape, Zeros, Range,
// EyeLike. Constants of many elements are initializers, not Constant nodes; ONNX's tensor attribute
// `value` of ConstantOfShape becomes the attributes value and dtype here.
#include <cmath>

#include "workloads/onnx_types.h"
#include "workloads/ops/axes.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;

AttributeSpec dtype_attribute(std::int64_t fallback) {
  return {"dtype", fallback, false,
          "ONNX element type of the result: 1 float, 7 int64, 9 bool, ..."};
}

OutputSpec typed(Shape shape, std::int64_t number) {
  const DeclaredType declared = onnx_type(number);
  return {std::move(shape), declared.type, declared.format};
}

class ShapeOp final : public SimpleOp {
 public:
  ShapeOp()
      : SimpleOp({"Shape",
                  "the extents of x from start to end",
                  OpClass::view,
                  1,
                  1,
                  {{"end", std::int64_t{1} << 31, false, "one after the last dimension"},
                   {"start", std::int64_t{0}, false, "first dimension"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{{static_cast<std::int64_t>(extents(view).size())}, ElementType::int64}};
  }
  bool reads_values() const override { return false; }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    const Shape wanted = extents(e.view);
    std::copy(wanted.begin(), wanted.end(), e.outputs[0].values.begin());
  }

 private:
  static Shape extents(const NodeView& view) {
    const Shape& x = view.input(0).shape;
    const auto rank = static_cast<std::int64_t>(x.size());
    const auto place = [&](const char* name) {
      const std::int64_t at = view.integer(name);
      return std::min(std::max<std::int64_t>(at < 0 ? at + rank : at, 0), rank);
    };
    const std::int64_t start = place("start");
    return Shape(x.begin() + start, x.begin() + std::max(start, place("end")));
  }
};

class Size final : public SimpleOp {
 public:
  Size() : SimpleOp({"Size", "the number of elements of x", OpClass::view}) {}
  std::vector<OutputSpec> infer(const NodeView&) const override {
    return {{{}, ElementType::int64}};
  }
  bool reads_values() const override { return false; }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    e.outputs[0].values = {static_cast<double>(elements_of(e.view.input(0)))};
  }
};

class Constant final : public SimpleOp {
 public:
  Constant()
      : SimpleOp({"Constant",
                  "one of its attributes",
                  OpClass::view,
                  0,
                  0,
                  {{"value_float", std::nan(""), false, "a scalar"},
                   {"value_floats", std::vector<double>{}, false, "a vector"},
                   {"value_int", std::int64_t{0}, false, "a scalar; the default"},
                   {"value_ints", Integers{}, false, "a vector"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Tensor value = value_of(view);
    return {{value.shape, value.type}};
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override { e.outputs[0] = value_of(e.view); }

 private:
  static Tensor value_of(const NodeView& view) {
    const auto& floats = std::get<std::vector<double>>(view.node().attributes.at("value_floats"));
    const Integers& ints = view.integers("value_ints");
    const double number = view.number("value_float");
    Tensor result;
    if (!floats.empty()) {
      result.shape = {static_cast<std::int64_t>(floats.size())};
      result.values = floats;
    } else if (number == number) {
      result.values = {number};
    } else if (!ints.empty()) {
      result = Tensor({static_cast<std::int64_t>(ints.size())}, ElementType::int64);
      std::copy(ints.begin(), ints.end(), result.values.begin());
    } else {
      result = Tensor({}, ElementType::int64);
      result.values[0] = static_cast<double>(view.integer("value_int"));
    }
    return result;
  }
};

/// Every element the same.
class Filled final : public SimpleOp {
 public:
  Filled(OpFacts facts, bool by_input) : SimpleOp(std::move(facts)), by_input_(by_input) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {typed(by_input_ ? view.constant_integers(0) : view.integers("shape"),
                  view.integer("dtype"))};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"copy", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    Tensor& y = e.outputs[0];
    std::fill(y.values.begin(), y.values.end(), wrapped(e.view.number("value"), y.type));
  }

 private:
  bool by_input_;
};

class Range final : public SimpleOp {
 public:
  Range()
      : SimpleOp({"Range",
                  "start, start + delta, ... below limit",
                  OpClass::vector,
                  3,
                  3,
                  {},
                  false,
                  1,
                  1,
                  {0, 1, 2}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    for (int i = 0; i < 3; ++i)
      if (elements_of(view.input(i)) != 1) shape_error(view.input(i).name + " must be a scalar");
    const double count = std::ceil((at(view, 1) - at(view, 0)) / at(view, 2));
    if (!(count <= 0x1p40)) shape_error("the range has no end or too many elements");
    return {{{count > 0 ? static_cast<std::int64_t>(count) : 0}, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t count = elements_of(view.output());
    return {{"mul", count}, {"add", count}};
  }
  void forward(Evaluation& e) const override {
    Tensor& y = e.outputs[0];
    const VectorArithmetic exact;
    const VectorArithmetic& step = y.type == ElementType::floating ? e.internal : exact;
    for (std::size_t i = 0; i < y.values.size(); ++i)
      y.values[i] = step(at(e.view, 0) + step(static_cast<double>(i) * at(e.view, 2)));
  }

 private:
  static double at(const NodeView& view, int i) { return view.constant(i).values.at(0); }
};

class EyeLike final : public SimpleOp {
 public:
  EyeLike()
      : SimpleOp({"EyeLike",
                  "ones on diagonal k of a matrix of the input's shape",
                  OpClass::vector,
                  1,
                  1,
                  {{"dtype", std::int64_t{0}, false, "ONNX element type; 0: the input's"},
                   {"k", std::int64_t{0}, false, "above the main diagonal, negative: below"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    require_rank(view, 0, 2, "input");
    if (view.integer("dtype") == 0) return {{view.input(0).shape, view.input(0).type}};
    return {typed(view.input(0).shape, view.integer("dtype"))};
  }
  bool reads_values() const override { return false; }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"copy", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    Tensor& y = e.outputs[0];
    for (std::int64_t r = 0; r < y.shape[0]; ++r)
      for (std::int64_t c = 0; c < y.shape[1]; ++c)
        y.values[static_cast<std::size_t>(r * y.shape[1] + c)] =
            c - r == e.view.integer("k") ? 1.0 : 0.0;
  }
};

}  // namespace

void register_shape_values(OpRegistry& registry) {
  registry.add(std::make_unique<ShapeOp>());
  registry.add(std::make_unique<Size>());
  registry.add(std::make_unique<Constant>());
  registry.add(std::make_unique<Filled>(
      OpFacts{"ConstantOfShape",
              "one value in the shape given by the input",
              OpClass::vector,
              1,
              1,
              {{"value", 0.0, false, "of every element"}, dtype_attribute(1)},
              false,
              1,
              1,
              {0}},
      true));
  registry.add(std::make_unique<Filled>(OpFacts{"Filled",
                                                "one value in a given shape",
                                                OpClass::vector,
                                                0,
                                                0,
                                                {{"value", 0.0, false, "of every element"},
                                                 {"shape", Integers{}, true, "of the result"},
                                                 dtype_attribute(1)},
                                                true},
                                        false));
  registry.add(std::make_unique<Range>());
  registry.add(std::make_unique<EyeLike>());
}

}  // namespace npusim::workloads
