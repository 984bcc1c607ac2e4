// SPDX-License-Identifier: Apache-2.0
#include "onnx_seeds.h"

#include "tests/workloads/onnx/model_builder.h"

namespace npusim::fuzz {

std::vector<std::string> onnx_seeds() {
  namespace build = npusim::onnx_test;
  build::Proto product = build::make_model(17);
  build::add_input(product, "x", {2, 3});
  build::add_floats(product, "w", {3, 4}, std::vector<float>(12, 0.5F));
  build::add_node(product, "MatMul", {"x", "w"}, {"h"});
  build::add_node(product, "Relu", {"h"}, {"y"});
  build::add_output(product, "y");
  build::Proto network = build::make_model(13);
  build::add_input(network, "x", {1, 2, 6, 6});
  build::add_floats(network, "w", {3, 2, 3, 3}, std::vector<float>(54, 0.1F));
  build::add_integers(network, "shape", {2}, {1, -1});
  auto& conv = build::add_node(network, "Conv", {"x", "w"}, {"c"});
  build::set_ints(conv, "pads", {1, 1, 1, 1});
  auto& pool = build::add_node(network, "MaxPool", {"c"}, {"p"});
  build::set_ints(pool, "kernel_shape", {2, 2});
  build::add_node(network, "Reshape", {"p", "shape"}, {"r"});
  auto& softmax = build::add_node(network, "Softmax", {"r"}, {"y"});
  build::set_int(softmax, "axis", 1);
  build::add_output(network, "y");
  return {build::bytes_of(product), build::bytes_of(network)};
}

}  // namespace npusim::fuzz
