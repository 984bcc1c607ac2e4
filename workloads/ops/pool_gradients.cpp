// SPDX-License-Identifier: Apache-2.0
// Gradients of the pooling ops. Where windows overlap, contributions are added in window order with
// one rounding each; a maximum sends its gradient to the first tap that holds it.
#include "workloads/ops/families.h"
#include "workloads/ops/pool_lines.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

std::vector<AttributeSpec> with_shape(std::vector<AttributeSpec> attributes) {
  attributes.push_back(
      {"x_shape", std::vector<std::int64_t>{}, true, "shape of the forward input"});
  return attributes;
}

std::vector<AttributeSpec> window_and_mode() {
  std::vector<AttributeSpec> attributes = window_attributes();
  attributes.push_back({"ceil_mode", std::int64_t{0}, false, "as the forward op"});
  attributes.push_back({"kernel_shape", std::vector<std::int64_t>{}, true, "as the forward op"});
  return attributes;
}

std::vector<AttributeSpec> average_attributes() {
  std::vector<AttributeSpec> attributes = with_shape(window_and_mode());
  attributes.push_back({"count_include_pad", std::int64_t{0}, false, "as the forward op"});
  return attributes;
}

class MaxPoolGradient final : public SimpleOp {
 public:
  MaxPoolGradient()
      : SimpleOp({"MaxPoolGradient", "gradient of MaxPool from (dy, x)", OpClass::vector, 2, 2,
                  window_and_mode(), true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(1).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const ConvGeometry g = pool_geometry(view, view.input(1).shape);
    return {{"compare", elements_of(view.input(0)) * g.taps()},
            {"add", elements_of(view.input(0))}};
  }
  void forward(Evaluation& e) const override {
    const ConvGeometry g = pool_geometry(e.view, e.inputs[1]->shape);
    e.parallel(g.images * g.channels, [&](std::int64_t plane) {
      const double* dy = e.inputs[0]->values.data() + plane * g.out_pixels();
      const double* x = e.inputs[1]->values.data() + plane * g.in_pixels();
      double* dx = e.outputs[0].values.data() + plane * g.in_pixels();
      std::fill(dx, dx + g.in_pixels(), 0.0);
      for (std::int64_t i = 0; i < g.out_pixels(); ++i) {
        std::int64_t best = -1;
        for_taps(g, i, [&](std::int64_t, std::int64_t offset) {
          if (best < 0 || x[offset] > x[best]) best = offset;
        });
        if (best >= 0) dx[best] = e.internal(dx[best] + dy[i]);
      }
    });
  }
};

class AveragePoolGradient final : public SimpleOp {
 public:
  AveragePoolGradient()
      : SimpleOp({"AveragePoolGradient", "gradient of AveragePool from dy", OpClass::vector, 1, 1,
                  average_attributes(), true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.integers("x_shape"), ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const ConvGeometry g = pool_geometry(view, view.integers("x_shape"));
    return {{"div", elements_of(view.input(0))}, {"add", elements_of(view.input(0)) * g.taps()}};
  }
  void forward(Evaluation& e) const override {
    const ConvGeometry g = pool_geometry(e.view, e.view.integers("x_shape"));
    const bool all = e.view.integer("count_include_pad") != 0;
    const std::vector<double> sizes = window_sizes(g, all);
    e.parallel(g.images * g.channels, [&](std::int64_t plane) {
      const double* dy = e.inputs[0]->values.data() + plane * g.out_pixels();
      double* dx = e.outputs[0].values.data() + plane * g.in_pixels();
      std::fill_n(dx, g.in_pixels(), 0.0);
      std::vector<double> shares(static_cast<std::size_t>(g.out_width)), sums(shares);
      for (std::int64_t line = 0; line < g.out_depth * g.out_height; ++line) {
        const std::int64_t first = line * g.out_width;
        for (std::int64_t x = 0; x < g.out_width; ++x)
          shares[static_cast<std::size_t>(x)] =
              dy[first + x] / sizes[static_cast<std::size_t>(first + x)];
        e.internal.array(shares.data(), g.out_width);
        for_tap_lines(g, line,
                      [&](std::int64_t from) { add_line(e.internal, g, shares, dx + from, sums); });
      }
    });
  }

 private:
  /// Each window's share to its taps of one line. A later window meets a pixel with an earlier tap,
  /// so that taps run backwards.
  static void add_line(const VectorArithmetic& internal, const ConvGeometry& g,
                       const std::vector<double>& shares, double* dx, std::vector<double>& sums) {
    for (std::int64_t s = g.kernel_width - 1; s >= 0; --s) {
      const TapReach reach(g, s);
      const std::int64_t count = reach.end - reach.begin;
      for (std::int64_t i = 0; i < count; ++i)
        sums[static_cast<std::size_t>(i)] =
            dx[reach.pixel(reach.begin + i)] + shares[static_cast<std::size_t>(reach.begin + i)];
      internal.array(sums.data(), count);
      for (std::int64_t i = 0; i < count; ++i)
        dx[reach.pixel(reach.begin + i)] = sums[static_cast<std::size_t>(i)];
    }
  }
};

class GlobalAveragePoolGradient final : public SimpleOp {
 public:
  GlobalAveragePoolGradient()
      : SimpleOp({"GlobalAveragePoolGradient", "gradient of GlobalAveragePool from dy",
                  OpClass::vector, 1, 1, with_shape({}), true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.integers("x_shape"), ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"div", elements_of(view.input(0))}, {"copy", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& dy = e.inputs[0]->values;
    std::vector<double>& dx = e.outputs[0].values;
    const std::size_t inner = dx.size() / dy.size();
    for (std::size_t plane = 0; plane < dy.size(); ++plane) {
      const double share = e.internal(dy[plane] / static_cast<double>(inner));
      std::fill_n(dx.begin() + static_cast<std::ptrdiff_t>(plane * inner), inner, share);
    }
  }
};

}  // namespace

void register_pool_gradients(OpRegistry& registry) {
  registry.add(std::make_unique<MaxPoolGradient>());
  registry.add(std::make_unique<AveragePoolGradient>());
  registry.add(std::make_unique<GlobalAveragePoolGradient>());
}

}  // namespace npusim::workloads
