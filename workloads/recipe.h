// SPDX-License-Identifier: Apache-2.0
// A mixed-precision recipe: which format each tensor role is stored in, which accumulator the
// products use and which precision the steps inside vector ops have.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/config_file.h"
#include "base/json_value.h"
#include "precision/rounding.h"
#include "workloads/graph.h"

namespace npusim::workloads {

struct Recipe {
  std::string name;
  std::string description;
  precision::Format weights, activations, activation_gradients, weight_gradients;
  precision::Format optimizer_state, statistics, loss;
  std::optional<precision::Format>
      master_weights;  ///< absent: the optimizer updates the weights themselves
  std::optional<precision::Format> accumulator;             ///< absent: the NPU's default
  precision::Format internal;                               ///< of steps inside vector ops
  precision::Rounding rounding = precision::Rounding::rne;  ///< when a tensor is stored
  int random_bits = 0;                                      ///< with rounding sr
  base::JsonValue resolved;
};

Recipe load_recipe(const std::string& path, const std::vector<base::Override>& overrides = {});

/// The format each tensor of the graph is stored in (integers and booleans: binary64, exact).
std::vector<precision::Arithmetic> storage_formats(const Graph& graph, const Recipe& recipe);

}  // namespace npusim::workloads
