// SPDX-License-Identifier: Apache-2.0
// Softmax and LogSoftmax along an axis, shifted by the maximum, and their gradients.
#include "workloads/ops/families.h"
#include "workloads/ops/rows_along_axis.h"

namespace npusim::workloads {

RowsAlongAxis rows_along(const Shape& shape, std::int64_t axis) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  const std::int64_t positive = axis < 0 ? axis + rank : axis;
  if (positive < 0 || positive >= rank)
    shape_error("axis " + std::to_string(axis) + " is outside shape " + to_string(shape));
  RowsAlongAxis rows;
  for (std::int64_t i = 0; i < rank; ++i) {
    const std::int64_t extent = shape[static_cast<std::size_t>(i)];
    if (i < positive) rows.outer *= extent;
    if (i == positive) rows.length = extent;
    if (i > positive) rows.inner *= extent;
  }
  return rows;
}

StableExponentials stable_exponentials(const std::vector<double>& x, const RowsAlongAxis& rows,
                                       std::int64_t row, const VectorArithmetic& internal) {
  StableExponentials result;
  result.max = x[rows.at(row, 0)];
  for (std::int64_t i = 1; i < rows.length; ++i)
    result.max = std::max(result.max, x[rows.at(row, i)]);
  for (std::int64_t i = 0; i < rows.length; ++i)
    result.sum =
        internal(result.sum + internal(internal.exp(internal(x[rows.at(row, i)] - result.max))));
  return result;
}

namespace {

std::vector<AttributeSpec> axis_attribute() {
  return {{"axis", std::int64_t{-1}, false, "axis to normalise over"}};
}

class SoftmaxLike final : public SimpleOp {
 public:
  SoftmaxLike(const char* name, const char* description, const char* gradient_op, bool log)
      : SimpleOp({name, description, OpClass::vector, 1, 1, axis_attribute()}),
        gradient_op_(gradient_op),
        log_(log) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    rows_along(view.input(0).shape, view.integer("axis"));
    return {{view.input(0).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    const std::int64_t rows = rows_along(view.input(0).shape, view.integer("axis")).rows();
    if (log_) return {{"max", n}, {"add", 3 * n}, {"exp", n}, {"log", rows}};
    return {{"max", n}, {"add", 2 * n}, {"exp", n}, {"div", n}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& x = e.inputs[0]->values;
    std::vector<double>& y = e.outputs[0].values;
    const RowsAlongAxis rows = rows_along(e.inputs[0]->shape, e.view.integer("axis"));
    e.parallel(rows.rows(), [&](std::int64_t row) {
      if (!log_ && rows.inner == 1) {
        const std::int64_t first = row * rows.length;
        return softmax(x.data() + first, y.data() + first, rows.length, e.internal);
      }
      const StableExponentials s = stable_exponentials(x, rows, row, e.internal);
      const double log_sum = log_ ? e.internal(e.internal.log(s.sum)) : 0.0;
      for (std::int64_t i = 0; i < rows.length; ++i) {
        const std::size_t at = rows.at(row, i);
        const double shifted = e.internal(x[at] - s.max);
        y[at] = log_ ? e.internal(shifted - log_sum)
                     : e.internal(e.internal.divide(e.internal(e.internal.exp(shifted)), s.sum));
      }
    });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (g.wanted(0))
      g.set_input_gradient(
          0, g.add(gradient_op_, "dx", {g.output_gradient(0), g.view().node().outputs[0]},
                   g.view().node().attributes, gradient_role(g, 0)));
  }

 private:
  /// The steps of the general case, each for all values of the row at once.
  static void softmax(const double* x, double* y, std::int64_t length,
                      const VectorArithmetic& internal) {
    const double max = *std::max_element(x, x + length);
    for (std::int64_t i = 0; i < length; ++i) y[i] = x[i] - max;
    internal.array(y, length);
    if (internal.approximates(Elementary::exp))
      std::transform(y, y + length, y, [&](double value) { return internal.exp(value); });
    else
      det_exp(y, y, static_cast<int>(length));
    internal.array(y, length);
    double sum = 0.0;
    for (std::int64_t i = 0; i < length; ++i) sum = internal(sum + y[i]);
    for (std::int64_t i = 0; i < length; ++i) y[i] = internal.divide(y[i], sum);
    internal.array(y, length);
  }

  const char* gradient_op_;
  bool log_;
};

/// Softmax: y * (dy - sum(dy * y)). LogSoftmax: dy - exp(y) * sum(dy).
class SoftmaxLikeGradient final : public SimpleOp {
 public:
  SoftmaxLikeGradient(const char* name, const char* description, bool log)
      : SimpleOp({name, description, OpClass::vector, 2, 2, axis_attribute(), true}), log_(log) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(0).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of(view.output());
    if (log_) return {{"exp", n}, {"mul", n}, {"add", 2 * n}};
    return {{"mul", 2 * n}, {"add", 2 * n}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& dy = e.inputs[0]->values;
    const std::vector<double>& y = e.inputs[1]->values;
    const RowsAlongAxis rows = rows_along(e.inputs[0]->shape, e.view.integer("axis"));
    e.parallel(rows.rows(), [&](std::int64_t row) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < rows.length; ++i) {
        const std::size_t at = rows.at(row, i);
        sum = e.internal(sum + (log_ ? dy[at] : e.internal(dy[at] * y[at])));
      }
      for (std::int64_t i = 0; i < rows.length; ++i) {
        const std::size_t at = rows.at(row, i);
        e.outputs[0].values[at] =
            log_ ? e.internal(dy[at] - e.internal(e.internal(e.internal.exp(y[at])) * sum))
                 : e.internal(y[at] * e.internal(dy[at] - sum));
      }
    });
  }

 private:
  bool log_;
};

}  // namespace

void register_softmax(OpRegistry& registry) {
  registry.add(std::make_unique<SoftmaxLike>("Softmax", "exp(x) / sum(exp(x)) along an axis",
                                             "SoftmaxGradient", false));
  registry.add(std::make_unique<SoftmaxLike>("LogSoftmax", "log(softmax(x)) along an axis",
                                             "LogSoftmaxGradient", true));
  registry.add(std::make_unique<SoftmaxLikeGradient>("SoftmaxGradient",
                                                     "gradient of Softmax from (dy, y)", false));
  registry.add(std::make_unique<SoftmaxLikeGradient>("LogSoftmaxGradient",
                                                     "gradient of LogSoftmax from (dy, y)", true));
}

}  // namespace npusim::workloads
