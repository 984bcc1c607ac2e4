// SPDX-License-Identifier: Apache-2.0
// Scales of FP8 tensors as training graphs compute them; training/scaled_operands.h has the rules
// and their source. Arithmetic in binary32.
#include "workloads/ops/scales.h"

#include <cmath>
#include <limits>

#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

double amax_of(const std::vector<double>& values) {
  double amax = 0.0;
  for (const double value : values) {
    if (value != value) return value;
    amax = std::max(amax, std::fabs(value));
  }
  return amax;
}

/// largest / amax, or `otherwise` where that says nothing.
double scale_for(double amax, double largest, double otherwise) {
  if (!std::isfinite(amax) || amax <= 0.0) return otherwise;
  const float scale = static_cast<float>(largest) / static_cast<float>(amax);
  return std::isfinite(scale) ? static_cast<double>(scale)
                              : static_cast<double>(std::numeric_limits<float>::max());
}

AttributeSpec largest_attribute() {
  return {"largest", 0.0, true, "largest number of the format that the tensor is scaled to"};
}

class AmaxScale final : public SimpleOp {
 public:
  AmaxScale()
      : SimpleOp({"AmaxScale",
                  "largest / max|x|; 1 where that is not finite or x is zero",
                  OpClass::vector,
                  1,
                  1,
                  {largest_attribute()},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView&) const override {
    return {{{}, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"max", elements_of(view.input(0))}, {"div", 1}};
  }
  void forward(Evaluation& e) const override {
    e.outputs[0].values[0] = scale_for(amax_of(e.inputs[0]->values), e.view.number("largest"), 1.0);
  }
};

class DelayedScale final : public SimpleOp {
 public:
  DelayedScale()
      : SimpleOp({"DelayedScale",
                  "amax history and scale of the next step, from (x, history, scale)",
                  OpClass::vector,
                  3,
                  3,
                  {largest_attribute(),
                   {"margin", 0.0, false, "the scale is 2^margin smaller"},
                   {"most_recent", std::int64_t{0}, false, "1: only the newest amax counts"}},
                  true,
                  2,
                  2}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    if (view.input(1).shape.size() != 1 || elements_of(view.input(1)) < 1)
      shape_error("the history is a vector of at least one amax");
    if (elements_of(view.input(2)) != 1) shape_error("the scale is a scalar");
    return {{view.input(1).shape, ElementType::floating},
            {view.input(2).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"max", elements_of(view.input(0)) + elements_of(view.input(1))},
            {"copy", elements_of(view.input(1))},
            {"div", 1}};
  }
  void forward(Evaluation& e) const override {
    std::vector<double> slots = e.inputs[1]->values;
    slots[0] = amax_of(e.inputs[0]->values);
    const double amax = e.view.integer("most_recent") != 0 ? slots[0] : amax_of(slots);
    const double largest = std::ldexp(e.view.number("largest"),
                                      -static_cast<int>(std::lround(e.view.number("margin"))));
    e.outputs[1].values[0] = scale_for(amax, largest, e.inputs[2]->values[0]);
    std::rotate(slots.begin(), slots.begin() + 1, slots.end());
    slots[0] = 0.0;
    e.outputs[0].values = slots;
  }
};

class QuantizeByScale final : public SimpleOp {
 public:
  QuantizeByScale()
      : SimpleOp({"QuantizeByScale",
                  "x * scale, to be stored in a narrow format",
                  OpClass::vector,
                  2,
                  2,
                  {},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    if (elements_of(view.input(1)) != 1) shape_error("the scale is a scalar");
    return {{view.input(0).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"mul", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& x = e.inputs[0]->values;
    const double scale = e.inputs[1]->values[0];
    double* y = e.outputs[0].values.data();
    for_blocks(e.parallel, static_cast<std::int64_t>(x.size()),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i)
                   y[i] = e.internal(x[static_cast<std::size_t>(i)] * scale);
               });
  }
};

}  // namespace

void register_scales(OpRegistry& registry) {
  registry.add(std::make_unique<AmaxScale>());
  registry.add(std::make_unique<DelayedScale>());
  registry.add(std::make_unique<QuantizeByScale>());
}

}  // namespace npusim::workloads
