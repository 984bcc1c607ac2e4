// SPDX-License-Identifier: Apache-2.0
#include "workloads/recipe.h"

#include <stdexcept>

#include "base/object_reader.h"

namespace npusim::workloads {
namespace {

using base::ObjectReader;
using base::ValueReader;
using precision::Format;

std::string known_formats() {
  return base::one_of(precision::named_formats()) + ", or eXmY";
}

Format named(const ValueReader& at) {
  const std::string name = at.string();
  if (!at.json().is_string()) return precision::fp32();
  try {
    return precision::format_from_name(name);
  } catch (const std::invalid_argument& error) {
    const std::string near = base::did_you_mean(name, precision::named_formats());
    at.error("unknown-format",
             "unknown format \"" + name + "\"" +
                 (near.empty() ? "" : " (did you mean \"" + near + "\"?)"),
             known_formats());
    return precision::fp32();
  }
}

/// A name, or an object that names a format and changes how it treats small and large results.
Format read_format(const ValueReader& at) {
  if (!at.json().is_object()) return named(at);
  ObjectReader reader(at);
  const auto name = reader.required("name", known_formats());
  Format format = name ? named(*name) : precision::fp32();
  format.subnormals = reader.choice<precision::Subnormals>(
      "subnormals",
      {{"keep", precision::Subnormals::keep}, {"flush", precision::Subnormals::flush}},
      format.subnormals);
  format.overflow = reader.choice<precision::Overflow>(
      "overflow",
      {{"infinity", precision::Overflow::infinity}, {"saturate", precision::Overflow::saturate}},
      format.overflow);
  reader.finish();
  return format;
}

Format required_format(ObjectReader& reader, const char* key) {
  const auto value = reader.required(key, known_formats());
  return value ? read_format(*value) : precision::fp32();
}

std::optional<Format> optional_format(ObjectReader& reader, const char* key) {
  const auto value = reader.optional(key);
  return value ? std::optional<Format>(read_format(*value)) : std::nullopt;
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

precision::Rounding read_rounding(ObjectReader& reader) {
  const auto value = reader.optional("rounding");
  if (!value) return precision::Rounding::rne;
  const std::vector<std::string>& names = precision::deterministic_rounding_names();
  return precision::rounding_from_name(names[value->choice(names)]);
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
  recipe.rounding = read_rounding(reader);
  reader.finish();
  diagnostics.throw_if_any();
  return recipe;
}

}  // namespace npusim::workloads
