// SPDX-License-Identifier: Apache-2.0
#include "workloads/recipe.h"

#include <stdexcept>

#include "base/object_reader.h"
#include "workloads/format_reader.h"
#include "workloads/op.h"
#include "workloads/training/recipe_sections.h"

namespace npusim::workloads {
namespace {

using base::ObjectReader;
using base::ValueReader;
using precision::Format;

Format required_format(ObjectReader& reader, const char* key) {
  const auto value = reader.required(key, known_formats());
  return value ? read_format_with_rules(*value) : precision::fp32();
}

std::optional<Format> optional_format(ObjectReader& reader, const char* key) {
  const auto value = reader.optional(key);
  return value ? std::optional<Format>(read_format_with_rules(*value)) : std::nullopt;
}

void read_formats(ObjectReader reader, Recipe& recipe) {
  recipe.weights = required_format(reader, "weights");
  recipe.activations = required_format(reader, "activations");
  recipe.activation_gradients = required_format(reader, "activation_gradients");
  recipe.weight_gradients = required_format(reader, "weight_gradients");
  recipe.optimizer_state = required_format(reader, "optimizer_state");
  recipe.statistics = required_format(reader, "statistics");
  recipe.loss = required_format(reader, "loss");
  recipe.master_weights = optional_format(reader, "master_weights");
  recipe.master_gradients = optional_format(reader, "master_gradients");
  reader.finish();
}

const std::vector<std::pair<std::string, TensorRole>>& roles_by_key() {
  static const std::vector<std::pair<std::string, TensorRole>> kRoles = {
      {"weights", TensorRole::weight},
      {"activations", TensorRole::activation},
      {"activation_gradients", TensorRole::activation_gradient},
      {"weight_gradients", TensorRole::weight_gradient},
      {"optimizer_state", TensorRole::optimizer_state},
      {"statistics", TensorRole::statistics},
      {"loss", TensorRole::loss},
      {"master_weights", TensorRole::master_weight}};
  return kRoles;
}

TensorRole read_role(const ValueReader& value) {
  std::vector<std::string> names;
  for (const auto& [name, role] : roles_by_key()) names.push_back(name);
  return roles_by_key()[value.choice(names)].second;
}

RecipeRule read_rule(const ValueReader& value) {
  RecipeRule rule;
  ObjectReader reader(value);
  for (const ValueReader& op : reader.optional_array("ops")) {
    rule.ops.push_back(op.string());
    if (ops().find(rule.ops.back()) == nullptr && op.json().is_string())
      op.error("unknown-name", "there is no op " + rule.ops.back(), "an op's name");
  }
  rule.nodes = reader.string("nodes", std::string());
  rule.first_layers = reader.integer("first_layers", base::kNonNegative, 0);
  rule.last_layers = reader.integer("last_layers", base::kNonNegative, 0);
  if (auto formats = reader.optional_object("formats")) {
    for (const auto& [name, role] : roles_by_key())
      if (const auto format = optional_format(*formats, name.c_str())) rule.formats[role] = *format;
    formats->finish();
  }
  rule.internal = optional_format(reader, "internal");
  rule.operands = optional_format(reader, "operands");
  reader.finish();
  return rule;
}

LossScalingSpec read_loss_scaling(ObjectReader reader) {
  using Kind = LossScalingSpec::Kind;
  LossScalingSpec spec;
  spec.kind = reader.choice<Kind>(
      "kind",
      {{"constant", Kind::constant}, {"statistics", Kind::statistics}, {"dynamic", Kind::dynamic}});
  const base::NumberRange scales{0x1p-126, 0x1p127, false};
  const bool dynamic = spec.kind == Kind::dynamic;
  if (spec.kind == Kind::constant)
    spec.initial = reader.number("scale", scales);
  else
    spec.initial = reader.number("initial", scales, dynamic ? 65536.0 : 1.0);
  if (spec.kind != Kind::constant)
    spec.interval = reader.integer("interval", base::kPositive, dynamic ? 2000 : 1);
  if (dynamic) {
    spec.growth = reader.number("growth", {1.0, 1e6, true}, 2.0);
    spec.backoff = reader.number("backoff", {0.0, 0.999999, true}, 0.5);
    spec.floor = reader.number("floor", base::kNonNegativeNumber, 0.0);
    spec.cap = reader.number("cap", base::kNonNegativeNumber, 0.0);
    spec.hysteresis = reader.integer("hysteresis", base::kPositive, 1);
  }
  if (spec.kind == Kind::statistics) {
    spec.limit = reader.number("limit", base::kPositiveNumber, 65504.0);
    spec.margin = reader.number("margin", {1.0, 1e6, false}, 2.0);
  }
  reader.finish();
  return spec;
}

void read_training_options(ObjectReader& reader, Recipe& recipe) {
  recipe.operands = optional_format(reader, "operands");
  read_autocast(reader);         // checked here, read again by
  read_operand_scaling(reader);  // who applies the recipe
  read_block_scaling(reader);
  for (const ValueReader& rule : reader.optional_array("rules"))
    recipe.rules.push_back(read_rule(rule));
  if (auto scaling = reader.optional_object("loss_scaling"))
    recipe.loss_scaling = read_loss_scaling(std::move(*scaling));
  if (auto stochastic = reader.optional_object("stochastic")) {
    for (const ValueReader& role : stochastic->array("roles"))
      recipe.stochastic_roles.push_back(read_role(role));
    recipe.stochastic_bits = static_cast<int>(stochastic->integer("random_bits", {1, 24}));
    stochastic->finish();
  }
}

/// Stochastic rounding needs room below the significand of every format that tensors are stored in.
void check_random_bits(ObjectReader& reader, const Recipe& recipe) {
  std::vector<Format> formats = {recipe.weights,
                                 recipe.activations,
                                 recipe.activation_gradients,
                                 recipe.weight_gradients,
                                 recipe.optimizer_state,
                                 recipe.statistics,
                                 recipe.loss};
  if (recipe.master_weights) formats.push_back(*recipe.master_weights);
  for (const Format& format : formats) {
    try {
      precision::validate(precision::Arithmetic{format, recipe.rounding, recipe.random_bits});
    } catch (const std::invalid_argument& error) {
      reader.error("random_bits", "out-of-range", error.what(), "fewer random bits");
      return;
    }
  }
}

}  // namespace

Recipe load_recipe(const std::string& path, const std::vector<base::Override>& overrides) {
  Recipe recipe;
  base::Diagnostics diagnostics;
  recipe.resolved = base::load_config(path, "recipe", overrides, diagnostics);
  ObjectReader reader(ValueReader(recipe.resolved, "", diagnostics));
  reader.optional("schema_version");  // both checked by load_config
  reader.optional("kind");
  recipe.name = reader.string("name");
  recipe.description = reader.string("description", std::string());
  reader.string("source", std::string());
  if (auto formats = reader.object("formats")) read_formats(std::move(*formats), recipe);
  recipe.accumulator = optional_format(reader, "accumulator");
  recipe.internal = required_format(reader, "internal");
  read_training_options(reader, recipe);
  const precision::Arithmetic stored = read_rounding(reader);
  recipe.rounding = stored.rounding;
  recipe.random_bits = stored.random_bits;
  if (diagnostics.empty()) check_random_bits(reader, recipe);
  reader.finish();
  diagnostics.throw_if_any();
  return recipe;
}

}  // namespace npusim::workloads
