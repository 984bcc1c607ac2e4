// SPDX-License-Identifier: Apache-2.0
// The update of stochastic gradient descent: w - rate * (g + weight_decay * w). The rate is the
// third input, or else the attribute.
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

class Sgd final : public SimpleOp {
 public:
  Sgd()
      : SimpleOp({"Sgd",
                  "w - learning_rate * (g + weight_decay * w)",
                  OpClass::vector,
                  2,
                  3,
                  {{"learning_rate", 0.01, false, "step size without a third input"},
                   {"weight_decay", 0.0, false, "L2 penalty"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    if (view.input(0).shape != view.input(1).shape)
      shape_error("weight " + to_string(view.input(0).shape) + " and gradient " +
                  to_string(view.input(1).shape) + " differ");
    if (view.has_input(2) && elements_of(view.input(2)) != 1) shape_error("the rate is a scalar");
    return {{view.input(0).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t count = elements_of(view.output());
    const std::int64_t passes = view.number("weight_decay") != 0.0 ? 2 : 1;
    return {{"mul", passes * count}, {"add", passes * count}};
  }
  void forward(Evaluation& e) const override {
    const bool given = e.inputs.size() > 2 && e.inputs[2] != nullptr;
    const double rate =
        e.internal(given ? e.inputs[2]->values.at(0) : e.view.number("learning_rate"));
    const double decay = e.internal(e.view.number("weight_decay"));
    const std::vector<double>& w = e.inputs[0]->values;
    const std::vector<double>& g = e.inputs[1]->values;
    for_blocks(
        e.parallel, static_cast<std::int64_t>(w.size()), [&](std::int64_t begin, std::int64_t end) {
          for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
            const double step = decay == 0.0 ? g[i] : e.internal(g[i] + e.internal(decay * w[i]));
            e.outputs[0].values[i] = e.internal(w[i] - e.internal(rate * step));
          }
        });
  }
};

}  // namespace

void register_sgd(OpRegistry& registry) {
  registry.add(std::make_unique<Sgd>());
}

}  // namespace npusim::workloads
