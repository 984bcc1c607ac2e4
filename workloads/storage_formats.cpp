// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.h"
#include "workloads/recipe.h"

namespace npusim::workloads {
namespace {

const precision::Format& format_of(TensorRole role, const Recipe& recipe) {
  switch (role) {
    case TensorRole::label:  // of floating values: what the loss is computed in
      return recipe.loss;
    case TensorRole::weight:
      return recipe.weights;
    case TensorRole::statistics:
      return recipe.statistics;
    case TensorRole::input:
    case TensorRole::state:
    case TensorRole::activation:
      return recipe.activations;
    case TensorRole::activation_gradient:
      return recipe.activation_gradients;
    case TensorRole::weight_gradient:
      return recipe.weight_gradients;
    case TensorRole::master_weight:
      return recipe.master_weights ? *recipe.master_weights : recipe.weights;
    case TensorRole::optimizer_state:
      return recipe.optimizer_state;
    case TensorRole::loss:
      return recipe.loss;
  }
  throw base::InternalError("unknown TensorRole");
}

precision::Arithmetic arithmetic_of(const TensorInfo& tensor, const Recipe& recipe) {
  if (tensor.type != ElementType::floating) return {precision::fp64(), precision::Rounding::rne};
  const precision::Format& format = tensor.stored ? *tensor.stored : format_of(tensor.role, recipe);
  const auto& roles = recipe.stochastic_roles;
  if (std::find(roles.begin(), roles.end(), tensor.role) != roles.end() &&
      format.fraction_bits < precision::fp32().fraction_bits)
    return {format, precision::Rounding::sr, recipe.stochastic_bits};
  return {format, recipe.rounding, recipe.random_bits};
}

}  // namespace

std::vector<precision::Arithmetic> storage_formats(const Graph& graph, const Recipe& recipe) {
  std::vector<precision::Arithmetic> result;
  result.reserve(graph.tensors.size());
  for (const TensorInfo& tensor : graph.tensors) result.push_back(arithmetic_of(tensor, recipe));
  return result;
}

}  // namespace npusim::workloads
