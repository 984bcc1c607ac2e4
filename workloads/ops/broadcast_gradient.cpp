// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/broadcast_gradient.h"

namespace npusim::workloads {
namespace {

bool broadcast(const GradientBuilder& g, int input) {
  return g.view().input(input).shape != g.view().output().shape;
}

std::string suffix_of(int input) {
  return std::string("d") + static_cast<char>('a' + input % 26) + ".reduced";
}

}  // namespace

TensorRole broadcast_role(const GradientBuilder& g, int input) {
  return broadcast(g, input) ? TensorRole::activation_gradient : gradient_role(g, input);
}

void set_broadcast_gradient(GradientBuilder& g, int input, TensorId gradient) {
  g.set_input_gradient(
      input, !broadcast(g, input)
                 ? as_gradient_of(g, input, gradient)
                 : g.add("ReduceToShape", suffix_of(input), {gradient},
                         {{"shape", g.view().input(input).shape}}, gradient_role(g, input)));
}

}  // namespace npusim::workloads
