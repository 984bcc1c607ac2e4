// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/recipe_sections.h"

#include <stdexcept>

#include "workloads/format_reader.h"
#include "workloads/op.h"

namespace npusim::workloads {
namespace {

using base::ObjectReader;
using base::ValueReader;

precision::Format required_format(ObjectReader& reader, const char* key) {
  const auto value = reader.required(key, known_formats());
  return value ? read_format_with_rules(*value) : precision::fp32();
}

std::vector<std::string> read_ops(ObjectReader& reader, const char* key) {
  std::vector<std::string> names;
  for (const ValueReader& op : reader.optional_array(key)) {
    names.push_back(op.string());
    if (ops().find(names.back()) == nullptr && op.json().is_string())
      op.error("unknown-name", "there is no op " + names.back(), "an op's name");
  }
  return names;
}

/// A block-scaled format of floating elements with a scale a block; mistakes become MXFP8.
precision::BlockFormat block_format(ObjectReader& reader, const char* key) {
  precision::BlockFormat format = precision::block_format_from_name("mxfp8_e4m3");
  const auto value = reader.required(key, "a block-scaled format");
  if (!value || !value->json().is_string()) {
    if (value) value->string();
    return format;
  }
  constexpr const char* kAllowed =
      "mxfp8_e4m3, mxfp6_e3m2 and the like, or ELEMENT_blockN with _fp32 or _e8m0 behind it";
  try {
    const precision::BlockFormat read = precision::block_format_from_name(value->string());
    if (read.element.is_fixed_point() || !read.scale || read.tensor_scale ||
        read.block == precision::BlockFormat::kWholeRow)
      value->error("illegal-combination", read.name + " has not one scale for each block of floats",
                   kAllowed);
    else
      format = read;
  } catch (const std::invalid_argument& error) {
    value->error("unknown-format", error.what(), kAllowed);
  }
  return format;
}

/// The document is whole and was read before without a mistake.
template <class Read>
auto read_again(const Recipe& recipe, const Read& read) {
  using Section = decltype(read(std::declval<ObjectReader&>()));
  if (!recipe.resolved.is_object()) return Section();
  base::Diagnostics diagnostics;
  ObjectReader reader(ValueReader(recipe.resolved, "", diagnostics));
  return read(reader);
}

}  // namespace

std::optional<Autocast> read_autocast(ObjectReader& recipe) {
  auto reader = recipe.optional_object("autocast");
  if (!reader) return std::nullopt;
  Autocast autocast;
  autocast.format = required_format(*reader, "format");
  autocast.low = read_ops(*reader, "low");
  autocast.fp32 = read_ops(*reader, "fp32");
  autocast.others = reader->choice<Autocast::Others>(
      "others", {{"inputs", Autocast::Others::inputs}, {"grappler", Autocast::Others::grappler}},
      Autocast::Others::inputs);
  if (autocast.others == Autocast::Others::grappler) autocast.clear = read_ops(*reader, "clear");
  reader->finish();
  return autocast;
}

std::optional<OperandScaling> read_operand_scaling(ObjectReader& recipe) {
  auto reader = recipe.optional_object("operand_scaling");
  if (!reader) return std::nullopt;
  OperandScaling scaling;
  scaling.kind = reader->choice<OperandScaling::Kind>(
      "kind",
      {{"current", OperandScaling::Kind::current}, {"delayed", OperandScaling::Kind::delayed}});
  scaling.forward = required_format(*reader, "forward");
  scaling.gradients = required_format(*reader, "gradients");
  scaling.forward.overflow = scaling.gradients.overflow = precision::Overflow::saturate;
  if (scaling.kind == OperandScaling::Kind::delayed) {
    scaling.margin = static_cast<double>(reader->integer("margin", {0, 64}, 0));
    scaling.history = reader->integer("amax_history", {1, 65536}, 1024);
    scaling.most_recent =
        reader->choice<bool>("amax", {{"max", false}, {"most_recent", true}}, false);
  }
  reader->finish();
  return scaling;
}

std::optional<BlockScaling> read_block_scaling(ObjectReader& recipe) {
  auto reader = recipe.optional_object("block_scaling");
  if (!reader) return std::nullopt;
  BlockScaling scaling;
  scaling.activations = block_format(*reader, "activations");
  scaling.weights = block_format(*reader, "weights");
  scaling.gradients = block_format(*reader, "gradients");
  scaling.weight_rows = reader->integer("weight_rows", {1, 4096}, 1);
  for (const auto* format : {&scaling.weights, &scaling.gradients})
    if (format->block != scaling.activations.block || format->scale != scaling.activations.scale)
      reader->self().error(
          "illegal-combination",
          "operands of a product have blocks of one length and scales of one format",
          "the block and scale of " + scaling.activations.name);
  if (recipe.has("operand_scaling"))
    recipe.error("operand_scaling", "illegal-combination",
                 "operands have one scale a tensor or one a block", "one of the two sections");
  reader->finish();
  return scaling;
}

std::optional<Autocast> autocast_of(const Recipe& recipe) {
  return read_again(recipe, [](ObjectReader& reader) { return read_autocast(reader); });
}

std::optional<OperandScaling> operand_scaling_of(const Recipe& recipe) {
  return read_again(recipe, [](ObjectReader& reader) { return read_operand_scaling(reader); });
}

std::optional<BlockScaling> block_scaling_of(const Recipe& recipe) {
  return read_again(recipe, [](ObjectReader& reader) { return read_block_scaling(reader); });
}

}  // namespace npusim::workloads
