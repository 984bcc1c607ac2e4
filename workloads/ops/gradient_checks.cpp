// SPDX-License-Identifier: Apache-2.0
// What a training step looks at in all gradients at once: whether every element is finite (loss
// scaling), and the factor that brings their common norm to a limit (clipping).
#include <cmath>
#include <limits>

#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

constexpr int kAny = std::numeric_limits<int>::max();

std::int64_t elements_of_inputs(const NodeView& view) {
  std::int64_t n = 0;
  for (int i = 0; i < view.input_count(); ++i) n += elements_of(view.input(i));
  return n;
}

class GradientsFinite final : public SimpleOp {
 public:
  GradientsFinite()
      : SimpleOp({"GradientsFinite",
                  "1 when no element of any input is infinite or NaN, else 0",
                  OpClass::vector,
                  1,
                  kAny,
                  {},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView&) const override {
    return {{{}, ElementType::boolean}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"compare", elements_of_inputs(view)}};
  }
  void forward(Evaluation& e) const override {
    bool finite = true;
    for (const Tensor* input : e.inputs)
      for (const double value : input->values) finite = finite && std::isfinite(value);
    e.outputs[0].values[0] = finite ? 1.0 : 0.0;
  }
};

/// min(1, max_norm / (norm + 1e-6)); the squares are summed in FP64 and rounded once, as a wide
/// reduction. A norm that is not finite gives a factor of NaN or 0: the step is bad either way.
class ClipFactor final : public SimpleOp {
 public:
  ClipFactor()
      : SimpleOp({"ClipFactor",
                  "factor that scales all inputs together to a Euclidean norm of max_norm at most",
                  OpClass::vector,
                  1,
                  kAny,
                  {{"max_norm", 1.0, true, "limit"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView&) const override {
    return {{{}, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = elements_of_inputs(view);
    return {{"mul", n}, {"add", n}, {"sqrt", 1}, {"div", 1}};
  }
  void forward(Evaluation& e) const override {
    double squares = 0.0;
    for (const Tensor* input : e.inputs)
      for (const double value : input->values) squares += value * value;
    const double norm = e.internal(e.internal(e.internal.sqrt(squares)) + 1e-6);
    const double factor = e.internal(e.internal.divide(e.view.number("max_norm"), norm));
    e.outputs[0].values[0] = factor > 1.0 ? 1.0 : factor;
  }
};

}  // namespace

void register_gradient_checks(OpRegistry& registry) {
  registry.add(std::make_unique<GradientsFinite>());
  registry.add(std::make_unique<ClipFactor>());
}

}  // namespace npusim::workloads
