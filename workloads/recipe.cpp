// SPDX-License-Identifier: Apache-2.0
#include "workloads/recipe.h"

#include <stdexcept>

#include "base/object_reader.h"
#include "workloads/format_reader.h"

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
  reader.finish();
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
  const precision::Arithmetic stored = read_rounding(reader);
  recipe.rounding = stored.rounding;
  recipe.random_bits = stored.random_bits;
  if (diagnostics.empty()) check_random_bits(reader, recipe);
  reader.finish();
  diagnostics.throw_if_any();
  return recipe;
}

}  // namespace npusim::workloads
