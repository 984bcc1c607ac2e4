// SPDX-License-Identifier: Apache-2.0
// The same image with its elements in another order in memory. Values and shape stay: the graph
// always names dimensions (N, C, ...).
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

class ChannelOrder final : public SimpleOp {
 public:
  ChannelOrder()
      : SimpleOp({"ChannelOrder",
                  "x (N, C, ...) in another order of its channels in memory",
                  OpClass::vector,
                  1,
                  1,
                  {{"order", std::string(), true, "nchw, nhwc or nchwc"},
                   {"written", std::int64_t{0}, true, "elements written, padding included"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(0).shape, view.input(0).type, view.input(0).format}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"copy", view.integer("written")}};
  }
  void forward(Evaluation& e) const override { e.outputs[0].values = e.inputs[0]->values; }
};

}  // namespace

void register_channel_order(OpRegistry& registry) {
  registry.add(std::make_unique<ChannelOrder>());
}

}  // namespace npusim::workloads
