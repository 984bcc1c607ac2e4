// SPDX-License-Identifier: Apache-2.0
// BatchNormalization with given statistics (ONNX's inference form).
#include <cmath>

#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

class BatchNormalization final : public SimpleOp {
 public:
  BatchNormalization()
      : SimpleOp({"BatchNormalization",
                  "x * a + b a channel, a = scale / sqrt(var + epsilon), b = bias - mean * a",
                  OpClass::vector,
                  5,
                  5,
                  {{"epsilon", 1e-5, false, "added to the variance"},
                   {"momentum", 0.9, false, "of running statistics; not used in this form"}}}) {}

  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    if (x.size() < 2) shape_error("x must have rank 2 or more, not shape " + to_string(x));
    for (int i = 1; i < 5; ++i)
      if (view.input(i).shape != Shape{x[1]})
        shape_error(view.input(i).name + " must have shape [" + std::to_string(x[1]) + "], not " +
                    to_string(view.input(i).shape));
    return {{x, ElementType::floating}};
  }
  /// a and b depend on parameters only: prepared once when they are loaded, not in every run.
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t elements = elements_of(view.output());
    return {{"mul", elements}, {"add", elements}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    const std::int64_t channels = x.shape[1];
    const std::int64_t inner = static_cast<std::int64_t>(x.values.size()) /
                               std::max<std::int64_t>(1, x.shape[0] * channels);
    const double epsilon = e.view.number("epsilon");
    e.parallel(x.shape[0] * channels, [&](std::int64_t plane) {
      const auto c = static_cast<std::size_t>(plane % channels);
      const double deviation =
          e.internal(std::sqrt(e.internal(e.inputs[4]->values[c] + e.internal(epsilon))));
      const double a = e.internal(e.inputs[1]->values[c] / deviation);
      const double b = e.internal(e.inputs[2]->values[c] - e.internal(e.inputs[3]->values[c] * a));
      const double* from = x.values.data() + plane * inner;
      double* to = e.outputs[0].values.data() + plane * inner;
      for (std::int64_t i = 0; i < inner; ++i) to[i] = e.internal(e.internal(from[i] * a) + b);
    });
  }
};

}  // namespace

void register_normalization(OpRegistry& registry) {
  registry.add(std::make_unique<BatchNormalization>());
}

}  // namespace npusim::workloads
