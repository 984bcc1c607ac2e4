// SPDX-License-Identifier: Apache-2.0
// A mixed-precision recipe: which format each tensor role is stored in, which accumulator the
// products use and which precision the steps inside vector ops have.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/config_file.h"
#include "base/json_value.h"
#include "precision/rounding.h"
#include "workloads/graph.h"
#include "workloads/training/loss_scaler.h"

namespace npusim::workloads {

/// What some nodes do otherwise. A node is meant when every condition that is given holds; of
/// several rules the last one that says something counts.
struct RecipeRule {
  std::vector<std::string> ops;   ///< op names; empty: any
  std::string nodes;              ///< pattern with * and ? over node names; empty: any
  std::int64_t first_layers = 0;  ///< of the forward graph's products, with what follows each
  std::int64_t last_layers = 0;   ///< both with the gradients of those nodes
  std::map<TensorRole, precision::Format> formats;  ///< of what the nodes write (weights: read)
  std::optional<precision::Format> internal;
  std::optional<precision::Format> operands;
};

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
  /// Roles whose stores round stochastically, whatever `rounding` says, and with how many bits.
  std::vector<TensorRole> stochastic_roles;
  int stochastic_bits = 0;
  /// What products read: operands stored otherwise are cast first. Absent: as they are stored.
  std::optional<precision::Format> operands;
  /// Gradients as the optimizer reads them, unscaled; absent: as the master weights, if any.
  std::optional<precision::Format> master_gradients;
  std::vector<RecipeRule> rules;
  LossScalingSpec loss_scaling;
  base::JsonValue resolved;
};

Recipe load_recipe(const std::string& path, const std::vector<base::Override>& overrides = {});

/// The format each tensor of the graph is stored in (integers and booleans: binary64, exact): its
/// own (TensorInfo::stored), or else its role's.
std::vector<precision::Arithmetic> storage_formats(const Graph& graph, const Recipe& recipe);

}  // namespace npusim::workloads
