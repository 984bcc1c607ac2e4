// SPDX-License-Identifier: Apache-2.0
// MaxPool, AveragePool, GlobalAveragePool over (N, C, H, W), in one and three dimensions too. Sums
// run over the taps in row-major order with one rounding each; padding taps take no part in a
// maximum.
#include "workloads/ops/families.h"
#include "workloads/ops/pool_lines.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

std::vector<AttributeSpec> pool_attributes(bool average) {
  std::vector<AttributeSpec> attributes = window_attributes();
  attributes.push_back({"ceil_mode", std::int64_t{0}, false, "1: round the output size up"});
  attributes.push_back(
      {"kernel_shape", std::vector<std::int64_t>{}, true, "extent of a window in each dimension"});
  if (average)
    attributes.push_back(
        {"count_include_pad", std::int64_t{0}, false, "1: padding counts in the divisor"});
  return attributes;
}

std::vector<AttributeSpec> max_pool_attributes() {
  std::vector<AttributeSpec> attributes = pool_attributes(false);
  attributes.push_back(
      {"storage_order", std::int64_t{0}, false, "of the indices: 0 row-major, 1 column-major"});
  return attributes;
}

class MaxPool final : public SimpleOp {
 public:
  MaxPool()
      : SimpleOp({"MaxPool", "largest value of each window; second output: where it stands",
                  OpClass::vector, 1, 1, max_pool_attributes(), false, 1, 2}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape shape = pool_geometry(view, view.input(0).shape).output_shape();
    return {{shape, view.input(0).type}, {shape, ElementType::int64}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const ConvGeometry g = pool_geometry(view, view.input(0).shape);
    return {{"max", elements_of(view.output()) * g.taps()}};
  }
  void forward(Evaluation& e) const override {
    const ConvGeometry g = pool_geometry(e.view, e.inputs[0]->shape);
    const bool column_major = e.view.integer("storage_order") != 0;
    e.parallel(g.images * g.channels, [&](std::int64_t plane) {
      const double* in = e.inputs[0]->values.data() + plane * g.in_pixels();
      for (std::int64_t i = 0; i < g.out_pixels(); ++i) {
        const std::int64_t best = largest(g, in, i);
        const auto at = static_cast<std::size_t>(plane * g.out_pixels() + i);
        e.outputs[0].values[at] = in[best];
        if (e.outputs.size() > 1)
          e.outputs[1].values[at] = static_cast<double>(
              plane * g.in_pixels() + (column_major ? transposed(g, best) : best));
      }
    });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (!g.wanted(0)) return;
    Attributes attributes = g.view().node().attributes;
    attributes.erase("storage_order");
    g.set_input_gradient(
        0, g.add("MaxPoolGradient", "dx", {g.output_gradient(0), g.view().node().inputs[0]},
                 attributes, gradient_role(g, 0)));
  }

 private:
  /// Offset of the first largest tap; a NaN counts as the largest.
  static std::int64_t largest(const ConvGeometry& g, const double* in, std::int64_t position) {
    std::int64_t best = -1;
    for_taps(g, position, [&](std::int64_t, std::int64_t offset) {
      if (best < 0 || in[offset] > in[best] || in[offset] != in[offset]) best = offset;
    });
    return best;
  }
  static std::int64_t transposed(const ConvGeometry& g, std::int64_t offset) {
    const std::int64_t x = offset % g.in_width;
    const std::int64_t y = offset / g.in_width % g.in_height;
    const std::int64_t z = offset / (g.in_width * g.in_height);
    return (x * g.in_height + y) * g.in_depth + z;
  }
};

class AveragePool final : public SimpleOp {
 public:
  AveragePool()
      : SimpleOp(
            {"AveragePool", "mean of each window", OpClass::vector, 1, 1, pool_attributes(true)}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const ConvGeometry g = pool_geometry(view, view.input(0).shape);
    return {{g.output_shape(), ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const ConvGeometry g = pool_geometry(view, view.input(0).shape);
    return {{"add", elements_of(view.output()) * g.taps()}, {"div", elements_of(view.output())}};
  }
  void gradient(GradientBuilder& g) const override {
    if (!g.wanted(0)) return;
    Attributes attributes = g.view().node().attributes;
    attributes["x_shape"] = g.view().input(0).shape;
    g.set_input_gradient(0, g.add("AveragePoolGradient", "dx", {g.output_gradient(0)}, attributes,
                                  gradient_role(g, 0)));
  }
  void forward(Evaluation& e) const override {
    const ConvGeometry g = pool_geometry(e.view, e.inputs[0]->shape);
    const bool all = e.view.integer("count_include_pad") != 0;
    const std::vector<double> sizes = window_sizes(g, all);
    e.parallel(g.images * g.channels, [&](std::int64_t plane) {
      const double* in = e.inputs[0]->values.data() + plane * g.in_pixels();
      double* out = e.outputs[0].values.data() + plane * g.out_pixels();
      for (std::int64_t line = 0; line < g.out_depth * g.out_height; ++line) {
        double* const sums = out + line * g.out_width;
        std::fill_n(sums, g.out_width, 0.0);
        for_tap_lines(g, line, [&](std::int64_t from) {
          for (std::int64_t s = 0; s < g.kernel_width; ++s) {
            const TapReach reach(g, s);
            for (std::int64_t x = reach.begin; x < reach.end; ++x)
              sums[x] += in[from + reach.pixel(x)];
            e.internal.array(sums + reach.begin, reach.end - reach.begin);
          }
        });
        for (std::int64_t x = 0; x < g.out_width; ++x)
          sums[x] /= sizes[static_cast<std::size_t>(line * g.out_width + x)];
        e.internal.array(sums, g.out_width);
      }
    });
  }
  bool differentiable() const override { return true; }
};

class GlobalAveragePool final : public SimpleOp {
 public:
  GlobalAveragePool() : SimpleOp({"GlobalAveragePool", "mean over all positions of a channel"}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    Shape y = view.input(0).shape;
    if (y.size() < 3) shape_error("x must have rank 3 or more, not shape " + to_string(y));
    std::fill(y.begin() + 2, y.end(), 1);
    return {{y, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"add", elements_of(view.input(0))}, {"div", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    const auto planes = static_cast<std::int64_t>(e.outputs[0].values.size());
    const std::int64_t inner = static_cast<std::int64_t>(x.values.size()) / planes;
    e.parallel(planes, [&](std::int64_t plane) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < inner; ++i)
        sum = e.internal(sum + x.values[static_cast<std::size_t>(plane * inner + i)]);
      e.outputs[0].values[static_cast<std::size_t>(plane)] =
          e.internal(sum / static_cast<double>(inner));
    });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0))
      g.set_input_gradient(0, g.add("GlobalAveragePoolGradient", "dx", {g.output_gradient(0)},
                                    {{"x_shape", g.view().input(0).shape}}, gradient_role(g, 0)));
  }
};

}  // namespace

void register_pooling(OpRegistry& registry) {
  registry.add(std::make_unique<MaxPool>());
  registry.add(std::make_unique<AveragePool>());
  registry.add(std::make_unique<GlobalAveragePool>());
}

}  // namespace npusim::workloads
