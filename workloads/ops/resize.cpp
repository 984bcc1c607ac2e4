// SPDX-License-Identifier: Apache-2.0
// Resize and Upsample: interpolation along each axis on its own. A result element is a weighted sum
// of input elements; weights are computed in binary64 from the (known) scales or sizes, products
// and sums round to the internal format. The gradient spreads dy with the same weights.
#include <cmath>

#include "workloads/ops/axes.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;
using Numbers = std::vector<double>;
constexpr std::int64_t kNone = -1;

/// One output index along an axis: which inputs it reads and how much of each.
struct Taps {
  Integers index;
  Numbers weight;
  bool outside = false;  ///< tf_crop_and_resize beyond the image: the extrapolation value
};

struct AxisPlan {
  std::int64_t in = 1, out = 1;
  double scale = 1.0;
  double start = 0.0, end = 1.0;  ///< of the region of interest
};

struct ResizePlan {
  Shape y;
  std::vector<AxisPlan> axes;
};

std::vector<AttributeSpec> resize_attributes() {
  return {{"antialias", std::int64_t{0}, false, "1: smooth when shrinking"},
          {"axes", Integers{}, false, "that roi, scales and sizes are for; default all"},
          {"coordinate_transformation_mode", std::string("half_pixel"), false,
           "half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric or "
           "tf_crop_and_resize"},
          {"cubic_coeff_a", -0.75, false, "of the cubic kernel"},
          {"exclude_outside", std::int64_t{0}, false, "1: taps outside weigh nothing"},
          {"extrapolation_value", 0.0, false, "outside of the region of interest"},
          {"keep_aspect_ratio_policy", std::string("stretch"), false,
           "stretch, not_larger or not_smaller"},
          {"mode", std::string("nearest"), false, "nearest, linear or cubic"},
          {"nearest_mode", std::string("round_prefer_floor"), false,
           "round_prefer_floor, round_prefer_ceil, floor or ceil"}};
}

void check_choice(const NodeView& view, const char* attribute,
                  const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), view.text(attribute)) == choices.end())
    shape_error(std::string("attribute ") + attribute + " \"" + view.text(attribute) +
                "\" is not known");
}

/// Position in the input of output index i. ONNX's reference counts the output's length as
/// scale * in, before it is rounded down to a number of elements.
double source_of(const std::string& mode, const AxisPlan& a, std::int64_t i) {
  const auto at = static_cast<double>(i);
  const auto in = static_cast<double>(a.in);
  const double length = a.scale * in;
  if (mode == "align_corners") return length == 1.0 ? 0.0 : at * (in - 1.0) / (length - 1.0);
  if (mode == "asymmetric") return at / a.scale;
  if (mode == "pytorch_half_pixel") return length == 1.0 ? 0.0 : (at + 0.5) / a.scale - 0.5;
  if (mode == "half_pixel_symmetric") {
    const double adjustment = static_cast<double>(a.out) / length;
    return in / 2.0 * (1.0 - adjustment) + (at + 0.5) / a.scale - 0.5;
  }
  if (mode == "tf_crop_and_resize") {
    if (length == 1.0) return 0.5 * (a.start + a.end) * (in - 1.0);
    return a.start * (in - 1.0) + at * (a.end - a.start) * (in - 1.0) / (length - 1.0);
  }
  return (at + 0.5) / a.scale - 0.5;
}

std::int64_t nearest(const std::string& mode, double x) {
  const double below = std::floor(x);
  double chosen = std::ceil(x);
  if (mode == "floor" || (mode == "round_prefer_floor" && x - below <= 0.5) ||
      (mode == "round_prefer_ceil" && x - below < 0.5))
    chosen = below;
  return static_cast<std::int64_t>(chosen);
}

double cubic(double x, double a) {
  x = std::fabs(x);
  if (x <= 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a;
  return 0.0;
}

double kernel(const std::string& mode, double x, double a) {
  return mode == "linear" ? std::fmax(0.0, 1.0 - std::fabs(x)) : cubic(x, a);
}

class Interpolation {
 public:
  explicit Interpolation(const NodeView& view)
      : transformation_(view.text("coordinate_transformation_mode")),
        mode_(view.text("mode")),
        nearest_(view.text("nearest_mode")),
        a_(view.number("cubic_coeff_a")),
        exclude_(view.integer("exclude_outside") != 0),
        antialias_(view.integer("antialias") != 0) {}

  std::vector<Taps> along(const AxisPlan& axis) const {
    std::vector<Taps> result;
    for (std::int64_t i = 0; i < axis.out; ++i) result.push_back(taps(axis, i));
    return result;
  }

 private:
  Taps taps(const AxisPlan& axis, std::int64_t i) const {
    Taps result;
    const double x =
        axis.scale == 1.0 && transformation_ != "tf_crop_and_resize" && axis.in == axis.out
            ? static_cast<double>(i)
            : source_of(transformation_, axis, i);
    result.outside = transformation_ == "tf_crop_and_resize" &&
                     (x < 0.0 || x > static_cast<double>(axis.in - 1));
    if (mode_ == "nearest") {
      result.index = {limited(nearest(nearest_, x), axis.in)};
      result.weight = {1.0};
      return result;
    }
    const double stretch = antialias_ && axis.scale < 1.0 ? 1.0 / axis.scale : 1.0;
    const double reach = (mode_ == "linear" ? 1.0 : 2.0) * stretch;
    const auto first = static_cast<std::int64_t>(std::floor(x - reach)) + 1;
    const auto last = static_cast<std::int64_t>(std::ceil(x + reach)) - 1;
    double sum = 0.0;
    for (std::int64_t k = first; k <= last; ++k) {
      const double weight = kernel(mode_, (static_cast<double>(k) - x) / stretch, a_);
      const bool inside = k >= 0 && k < axis.in;
      if (exclude_ && !inside) continue;
      result.index.push_back(limited(k, axis.in));
      result.weight.push_back(weight);
      sum += weight;
    }
    if (exclude_ || stretch != 1.0)
      for (double& weight : result.weight) weight /= sum;
    return result;
  }
  static std::int64_t limited(std::int64_t index, std::int64_t extent) {
    return std::min(std::max<std::int64_t>(index, 0), extent - 1);
  }

  std::string transformation_, mode_, nearest_;
  double a_;
  bool exclude_, antialias_;
};

/// For every result element: body(element, offset in x, weight) of each tap in row-major order;
/// `outside` elements get no taps but body(element, -1, 0).
template <class Body>
void for_taps_of(const NodeView& view, const Shape& x, const ResizePlan& plan, const Body& body) {
  const Interpolation interpolation(view);
  const Integers strides = strides_of(x);
  std::vector<std::vector<Taps>> taps;
  for (const AxisPlan& axis : plan.axes) taps.push_back(interpolation.along(axis));
  for_positions(plan.y, [&](std::int64_t element, const Integers& at) {
    Integers offsets = {0};
    Numbers weights = {1.0};
    for (std::size_t d = 0; d < at.size(); ++d) {
      const Taps& t = taps[d][static_cast<std::size_t>(at[d])];
      if (t.outside) {
        body(element, kNone, 0.0);
        return;
      }
      Integers next_offsets;
      Numbers next_weights;
      for (std::size_t k = 0; k < offsets.size(); ++k)
        for (std::size_t j = 0; j < t.index.size(); ++j) {
          next_offsets.push_back(offsets[k] + t.index[j] * strides[d]);
          next_weights.push_back(weights[k] * t.weight[j]);
        }
      offsets = std::move(next_offsets);
      weights = std::move(next_weights);
    }
    for (std::size_t k = 0; k < offsets.size(); ++k) body(element, offsets[k], weights[k]);
  });
}

/// Places of the inputs: Resize has roi, scales and sizes, Upsample only scales.
struct ResizeInputs {
  int roi, scales, sizes;
};

ResizePlan plan_of(const NodeView& view, const Shape& x, const ResizeInputs& inputs) {
  const auto given = [&](int i) {
    return i >= 0 && view.has_input(i) && !view.constant(i).values.empty();
  };
  Integers axes = positive_axes(view.integers("axes"), x.size());
  if (axes.empty())
    for (std::size_t d = 0; d < x.size(); ++d) axes.push_back(static_cast<std::int64_t>(d));
  if (given(inputs.scales) == given(inputs.sizes))
    shape_error("exactly one of scales and sizes must be given");
  ResizePlan plan;
  for (const std::int64_t extent : x) plan.axes.push_back({extent, extent, 1.0});
  const Numbers numbers = view.constant(given(inputs.scales) ? inputs.scales : inputs.sizes).values;
  if (numbers.size() != axes.size())
    shape_error("scales or sizes are " + std::to_string(numbers.size()) + " numbers for " +
                std::to_string(axes.size()) + " axes");
  const std::string& policy = view.text("keep_aspect_ratio_policy");
  double ratio = policy == "not_larger" ? INFINITY : 0.0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    AxisPlan& axis = plan.axes[static_cast<std::size_t>(axes[i])];
    const double scale =
        given(inputs.scales) ? numbers[i] : numbers[i] / static_cast<double>(axis.in);
    ratio = policy == "not_larger" ? std::fmin(ratio, scale) : std::fmax(ratio, scale);
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    AxisPlan& axis = plan.axes[static_cast<std::size_t>(axes[i])];
    const auto in = static_cast<double>(axis.in);
    double out = given(inputs.scales) ? std::floor(in * numbers[i]) : numbers[i];
    axis.scale = given(inputs.scales) ? numbers[i] : numbers[i] / in;
    if (given(inputs.sizes) && policy != "stretch") {
      axis.scale = ratio;
      out = std::floor(in * ratio + 0.5);
    }
    if (!(out >= 0.0 && out <= 0x1p40) || !(axis.scale > 0.0) || (axis.in == 0 && out > 0.0))
      shape_error("scales or sizes are out of range");
    axis.out = static_cast<std::int64_t>(out);
    if (given(inputs.roi)) {
      const Numbers& roi = view.constant(inputs.roi).values;
      if (roi.size() != 2 * axes.size()) shape_error("roi is not two numbers an axis");
      axis.start = roi[i];
      axis.end = roi[i + axes.size()];
    }
  }
  for (const AxisPlan& axis : plan.axes) plan.y.push_back(axis.out);
  return plan;
}

std::int64_t taps_of(const NodeView& view) {
  const std::string& mode = view.text("mode");
  std::int64_t taps = 1;
  for (std::size_t d = 2; d < view.input(0).shape.size(); ++d)
    taps *= mode == "nearest" ? 1 : mode == "linear" ? 2 : 4;
  return taps;
}

class Resize final : public SimpleOp {
 public:
  Resize(OpFacts facts, const ResizeInputs& inputs) : SimpleOp(std::move(facts)), inputs_(inputs) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_choice(view, "mode", {"nearest", "linear", "cubic"});
    check_choice(view, "coordinate_transformation_mode",
                 {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                  "asymmetric", "tf_crop_and_resize"});
    check_choice(view, "nearest_mode",
                 {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
    check_choice(view, "keep_aspect_ratio_policy", {"stretch", "not_larger", "not_smaller"});
    return {{plan(view, view.input(0).shape).y, view.input(0).type, view.input(0).format}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    const std::int64_t taps = taps_of(view);
    if (taps == 1) return {{"copy", n}};
    return {{"mul", n * taps}, {"add", n * taps}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    Tensor& y = e.outputs[0];
    const Step step(e.internal, y.type);
    const bool copies = e.view.text("mode") == "nearest";
    std::fill(y.values.begin(), y.values.end(), 0.0);
    for_taps_of(e.view, x.shape, plan(e.view, x.shape),
                [&](std::int64_t element, std::int64_t offset, double weight) {
                  double& sum = y.values[static_cast<std::size_t>(element)];
                  if (offset == kNone)
                    sum = e.view.number("extrapolation_value");
                  else if (copies)
                    sum = x.values[static_cast<std::size_t>(offset)];
                  else
                    sum = step(sum + step(weight * x.values[static_cast<std::size_t>(offset)]));
                });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (!g.wanted(0)) return;
    std::vector<TensorId> inputs = g.view().node().inputs;
    inputs[0] = g.output_gradient(0);
    Attributes attributes = g.view().node().attributes;
    attributes["x_shape"] = g.view().input(0).shape;
    g.set_input_gradient(0,
                         g.add(name() + "Gradient", "dx", inputs, attributes, gradient_role(g, 0)));
  }
  ResizePlan plan(const NodeView& view, const Shape& x) const { return plan_of(view, x, inputs_); }

 private:
  ResizeInputs inputs_;
};

class ResizeGradient final : public SimpleOp {
 public:
  explicit ResizeGradient(const Resize& op)
      : SimpleOp({op.name() + "Gradient", "gradient of " + op.name() + " from (dy, ...)",
                  OpClass::vector, op.min_inputs(), op.max_inputs(), attributes_of(op), true, 1, 1,
                  op.constant_inputs()}),
        op_(op) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.integers("x_shape"), ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.input(0)) * taps_of(view);
    return {{"mul", n}, {"add", n}};
  }
  void forward(Evaluation& e) const override {
    Tensor& dx = e.outputs[0];
    std::fill(dx.values.begin(), dx.values.end(), 0.0);
    for_taps_of(
        e.view, dx.shape, op_.plan(e.view, dx.shape),
        [&](std::int64_t element, std::int64_t offset, double weight) {
          if (offset == kNone) return;
          double& sum = dx.values[static_cast<std::size_t>(offset)];
          sum = e.internal(
              sum + e.internal(weight * e.inputs[0]->values[static_cast<std::size_t>(element)]));
        });
  }

 private:
  static std::vector<AttributeSpec> attributes_of(const Resize& op) {
    std::vector<AttributeSpec> attributes = op.attributes();
    attributes.push_back({"x_shape", Integers{}, true, "shape of the gradient"});
    return attributes;
  }
  const Resize& op_;
};

void add(OpRegistry& registry, std::unique_ptr<Resize> op) {
  registry.add(std::make_unique<ResizeGradient>(*op));
  registry.add(std::move(op));
}

}  // namespace

void register_resize(OpRegistry& registry) {
  add(registry, std::make_unique<Resize>(
                    OpFacts{"Resize",
                            "x at other extents, by scales (input 2) or sizes (input 3); roi is "
                            "input 1",
                            OpClass::vector,
                            1,
                            4,
                            resize_attributes(),
                            false,
                            1,
                            1,
                            {1, 2, 3}},
                    ResizeInputs{1, 2, 3}));
  std::vector<AttributeSpec> old = resize_attributes();
  for (AttributeSpec& attribute : old) {
    if (attribute.name == "coordinate_transformation_mode")
      attribute.fallback = std::string("asymmetric");
    if (attribute.name == "nearest_mode") attribute.fallback = std::string("floor");
  }
  add(registry, std::make_unique<Resize>(OpFacts{"Upsample",
                                                 "x enlarged by scales (input 1): Resize as opset "
                                                 "9 had it",
                                                 OpClass::vector,
                                                 2,
                                                 2,
                                                 old,
                                                 false,
                                                 1,
                                                 1,
                                                 {1}},
                                         ResizeInputs{-1, 1, -1}));
}

}  // namespace npusim::workloads
