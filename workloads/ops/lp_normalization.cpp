// SPDX-License-Identifier: Apache-2.0
// LpNormalization along an axis and LRN across channels, with their gradients.
#include <cmath>

#include "workloads/detmath.h"
#include "workloads/ops/axes.h"
#include "workloads/ops/families.h"
#include "workloads/ops/rows_along_axis.h"

namespace npusim::workloads {
namespace {

std::vector<AttributeSpec> lp_attributes() {
  return {{"axis", std::int64_t{-1}, false, "axis to normalise along"},
          {"p", std::int64_t{2}, false, "1 or 2"}};
}

/// sum |x| or sqrt(sum x * x) of a row.
double norm_of(const std::vector<double>& x, const RowsAlongAxis& rows, std::int64_t row,
               bool squared, const VectorArithmetic& internal) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < rows.length; ++i) {
    const double value = x[rows.at(row, i)];
    sum = internal(sum + (squared ? internal(value * value) : std::fabs(value)));
  }
  return squared ? internal(internal.sqrt(sum)) : sum;
}

class LpNormalization final : public SimpleOp {
 public:
  LpNormalization()
      : SimpleOp({"LpNormalization", "x by its L1 or L2 norm along an axis; a zero row stays",
                  OpClass::vector, 1, 1, lp_attributes()}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    require_floating(view, 0);
    rows_along(view.input(0).shape, view.integer("axis"));
    if (view.integer("p") != 1 && view.integer("p") != 2) shape_error("attribute p must be 1 or 2");
    return {{view.input(0).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    return {{"mul", n}, {"add", n}, {"div", n}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& x = e.inputs[0]->values;
    const RowsAlongAxis rows = rows_along(e.inputs[0]->shape, e.view.integer("axis"));
    e.parallel(rows.rows(), [&](std::int64_t row) {
      const double norm = norm_of(x, rows, row, e.view.integer("p") == 2, e.internal);
      for (std::int64_t i = 0; i < rows.length; ++i) {
        const std::size_t at = rows.at(row, i);
        e.outputs[0].values[at] = norm == 0.0 ? 0.0 : e.internal(e.internal.divide(x[at], norm));
      }
    });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0))
      g.set_input_gradient(0, g.add("LpNormalizationGradient", "dx",
                                    {g.output_gradient(0), g.view().node().inputs[0]},
                                    g.view().node().attributes, gradient_role(g, 0)));
  }
};

/// (dy - s * sum(dy * y)) / norm, s = y for L2 and sign(x) for L1.
class LpNormalizationGradient final : public SimpleOp {
 public:
  LpNormalizationGradient()
      : SimpleOp({"LpNormalizationGradient", "gradient of LpNormalization from (dy, x)",
                  OpClass::vector, 2, 2, lp_attributes(), true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(1).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    return {{"mul", 3 * n}, {"add", 3 * n}, {"div", 2 * n}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& dy = e.inputs[0]->values;
    const std::vector<double>& x = e.inputs[1]->values;
    const bool squared = e.view.integer("p") == 2;
    const RowsAlongAxis rows = rows_along(e.inputs[1]->shape, e.view.integer("axis"));
    e.parallel(rows.rows(), [&](std::int64_t row) {
      const double norm = norm_of(x, rows, row, squared, e.internal);
      double along = 0.0;
      for (std::int64_t i = 0; i < rows.length && norm != 0.0; ++i) {
        const std::size_t at = rows.at(row, i);
        along = e.internal(along + e.internal(dy[at] * e.internal(e.internal.divide(x[at], norm))));
      }
      for (std::int64_t i = 0; i < rows.length; ++i) {
        const std::size_t at = rows.at(row, i);
        const double sign = x[at] > 0.0 ? 1.0 : x[at] < 0.0 ? -1.0 : 0.0;
        const double direction = norm == 0.0 ? 0.0
                                 : squared   ? e.internal(e.internal.divide(x[at], norm))
                                             : sign;
        const double rest = e.internal(dy[at] - e.internal(direction * along));
        e.outputs[0].values[at] = norm == 0.0 ? 0.0 : e.internal(e.internal.divide(rest, norm));
      }
    });
  }
};

std::vector<AttributeSpec> lrn_attributes() {
  return {{"alpha", 1e-4, false, "factor of the mean square"},
          {"beta", 0.75, false, "exponent"},
          {"bias", 1.0, false, "added before the exponent"},
          {"size", std::int64_t{1}, true, "channels of the window"}};
}

/// s = bias + alpha / size * (sum of squares over the window of channels) for each element.
class LrnWindow {
 public:
  LrnWindow(const NodeView& view, const Shape& x)
      : channels_(x[1]),
        inner_(extent_product(x, 2, x.size())),
        size_(view.integer("size")),
        alpha_(view.number("alpha")),
        bias_(view.number("bias")) {}
  std::int64_t channel(std::int64_t i) const { return i / inner_ % channels_; }
  /// body(index) for the elements of the window around element i; mirrored: those whose window
  /// holds element i.
  template <class Body>
  void each(std::int64_t i, bool mirrored, const Body& body) const {
    const std::int64_t before = mirrored ? size_ / 2 : (size_ - 1) / 2;
    const std::int64_t c = channel(i);
    const std::int64_t first = std::max<std::int64_t>(0, c - before);
    const std::int64_t last = std::min(channels_ - 1, c + size_ - 1 - before);
    for (std::int64_t other = first; other <= last; ++other)
      body(static_cast<std::size_t>(i + (other - c) * inner_));
  }
  double sum(const std::vector<double>& x, std::int64_t i, const precision::Rounder& r) const {
    double squares = 0.0;
    each(i, false, [&](std::size_t at) { squares = r(squares + r(x[at] * x[at])); });
    return r(r(bias_) + r(r(alpha_ / static_cast<double>(size_)) * squares));
  }

 private:
  std::int64_t channels_, inner_, size_;
  double alpha_, bias_;
};

class Lrn final : public SimpleOp {
 public:
  Lrn()
      : SimpleOp({"LRN", "x / (bias + alpha / size * sum of squares over channels)^beta",
                  OpClass::vector, 1, 1, lrn_attributes()}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    if (x.size() < 2) shape_error("x must have rank 2 or more, not shape " + to_string(x));
    if (view.integer("size") < 1 || view.integer("size") > (1 << 20))
      shape_error("attribute size must be positive");
    return {{x, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    return {{"mul", 2 * n}, {"add", (view.integer("size") + 1) * n}, {"exp", n}, {"div", n}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& x = e.inputs[0]->values;
    const LrnWindow window(e.view, e.inputs[0]->shape);
    const double beta = e.view.number("beta");
    for_blocks(e.parallel, static_cast<std::int64_t>(x.size()),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const double s = window.sum(x, i, e.internal);
                   const auto at = static_cast<std::size_t>(i);
                   e.outputs[0].values[at] =
                       e.internal(e.internal.divide(x[at], e.internal(det_pow(s, beta))));
                 }
               });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0))
      g.set_input_gradient(
          0, g.add("LRNGradient", "dx", {g.output_gradient(0), g.view().node().inputs[0]},
                   g.view().node().attributes, gradient_role(g, 0)));
  }
};

/// dy * s^-beta - 2 alpha beta / size * x * sum(dy * x * s^(-beta - 1)) over the windows that hold
/// x.
class LrnGradient final : public SimpleOp {
 public:
  LrnGradient()
      : SimpleOp({"LRNGradient", "gradient of LRN from (dy, x)", OpClass::vector, 2, 2,
                  lrn_attributes(), true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(1).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    return {{"mul", 6 * n}, {"add", (2 * view.integer("size") + 2) * n}, {"exp", n}, {"div", n}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& dy = e.inputs[0]->values;
    const std::vector<double>& x = e.inputs[1]->values;
    const LrnWindow window(e.view, e.inputs[1]->shape);
    const double beta = e.view.number("beta");
    const double factor = e.internal(2.0 * e.view.number("alpha") * beta /
                                     static_cast<double>(e.view.integer("size")));
    std::vector<double> power(x.size()), part(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double s = window.sum(x, static_cast<std::int64_t>(i), e.internal);
      power[i] = e.internal(det_pow(s, -beta));
      part[i] = e.internal(e.internal(dy[i] * x[i]) * e.internal(e.internal.divide(power[i], s)));
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      double sum = 0.0;
      window.each(static_cast<std::int64_t>(i), true,
                  [&](std::size_t at) { sum = e.internal(sum + part[at]); });
      e.outputs[0].values[i] =
          e.internal(e.internal(dy[i] * power[i]) - e.internal(e.internal(factor * x[i]) * sum));
    }
  }
};

}  // namespace

void register_lp_normalization(OpRegistry& registry) {
  registry.add(std::make_unique<LpNormalization>());
  registry.add(std::make_unique<LpNormalizationGradient>());
  registry.add(std::make_unique<Lrn>());
  registry.add(std::make_unique<LrnGradient>());
}

}  // namespace npusim::workloads
