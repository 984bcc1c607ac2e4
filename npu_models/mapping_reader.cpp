// SPDX-License-Identifier: Apache-2.0
#include "npu_models/mapping_reader.h"

#include <algorithm>

#include "npu_models/unit_reader.h"

namespace npusim::npu {
namespace {

constexpr base::IntegerRange kParts{1, std::int64_t{1} << 12};

ArraySplit read_split(base::ObjectReader& object) {
  ArraySplit split;
  split.groups = object.integer("groups", kParts, 1);
  split.m = object.integer("m", kParts, 1);
  split.n = object.integer("n", kParts, 1);
  split.k = object.integer("k", kParts, 1);
  object.finish();
  return split;
}

AttentionPin read_attention(base::ObjectReader& object) {
  AttentionPin pin;
  pin.fused = object.boolean("fused", true);
  if (object.has("backward")) pin.backward = object.boolean("backward");
  if (object.has("queries")) pin.queries = object.integer("queries", base::kPositive);
  if (object.has("keys")) pin.keys = object.integer("keys", base::kPositive);
  if (!pin.fused && (pin.queries || pin.keys))
    object.error("fused", "contradiction", "blocks are pinned of an attention that is not fused",
                 "true, or neither queries nor keys");
  if (!pin.fused && pin.backward.value_or(false))
    object.error("backward", "contradiction",
                 "the backward pass is pinned as one op of an attention that is not fused",
                 "false, or \"fused\": true");
  object.finish();
  return pin;
}

std::int64_t read_output_tile(const base::ValueReader& value) {
  return value.choice({"2x2", "4x4"}) == 0 ? 2 : 4;
}

WinogradOptions read_winograd(base::ObjectReader& object) {
  WinogradOptions options;
  for (const base::ValueReader& value : object.array("output_tiles")) {
    const std::int64_t side = read_output_tile(value);
    if (std::find(options.output_tiles.begin(), options.output_tiles.end(), side) !=
        options.output_tiles.end())
      value.error("duplicate", "the output tile stands here twice", "each once");
    options.output_tiles.push_back(side);
  }
  if (object.has("output_tiles") && options.output_tiles.empty())
    object.error("output_tiles", "empty", "no output tile", "2x2, 4x4, or no section winograd");
  options.stage = object.choice<WinogradStage>(
      "transforms",
      {{"vector_unit", WinogradStage::vector_unit}, {"array_edge", WinogradStage::array_edge}},
      WinogradStage::vector_unit);
  options.offline_weights =
      object.choice<bool>("weights", {{"offline", true}, {"on_the_fly", false}}, true);
  if (const auto arithmetic = object.optional("arithmetic")) {
    options.arithmetic = read_format(*arithmetic);
    if (options.arithmetic->is_fixed_point())
      arithmetic->error("unsupported-format", "transforms need a floating format",
                        "a floating format");
  }
  object.finish();
  return options;
}

MappingPin read_pin(const base::ValueReader& value) {
  base::ObjectReader object(value);
  MappingPin pin;
  pin.op = object.string("op");
  if (object.has("op") && pin.op.empty())
    object.error("op", "empty", "a pin names ops", "the name of a node; * for any characters");
  if (auto tile = object.optional_object("tile")) {
    const auto side = [&](const char* key) -> std::optional<std::int64_t> {
      if (!tile->has(key)) return std::nullopt;
      return tile->integer(key, base::kPositive);
    };
    pin.tile_m = side("m");
    pin.tile_n = side("n");
    pin.tile_k = side("k");
    tile->finish();
  }
  if (object.has("loop_order"))
    pin.loop_order =
        object.choice<LoopOrder>("loop_order", {{"output_resident", LoopOrder::output_resident},
                                                {"weight_resident", LoopOrder::weight_resident}});
  if (auto split = object.optional_object("split")) pin.split = read_split(*split);
  if (auto attention = object.optional_object("attention"))
    pin.attention = read_attention(*attention);
  if (const auto winograd = object.optional("winograd")) {
    const std::size_t form = winograd->choice({"direct", "2x2", "4x4"});
    pin.winograd = 2 * static_cast<std::int64_t>(form);
  }
  object.finish();
  const base::Origin& origin = value.json().origin();
  if (origin.file) pin.place.file = *origin.file;
  pin.place.line = origin.line;
  pin.place.column = origin.column;
  pin.place.pointer = value.pointer();
  return pin;
}

}  // namespace

MappingOptions read_mapping(base::ObjectReader& object) {
  MappingOptions options;
  options.search = object.choice<MappingSearch>(
      "search", {{"quick", MappingSearch::quick}, {"exhaustive", MappingSearch::exhaustive}},
      MappingSearch::quick);
  options.fused_attention = object.boolean("fused_attention", false);
  options.fused_attention_backward = object.boolean("fused_attention_backward", false);
  if (options.fused_attention_backward && !options.fused_attention)
    object.error("fused_attention_backward", "contradiction",
                 "the backward pass takes what fused attention keeps of its forward pass",
                 "\"fused_attention\": true beside it");
  if (auto winograd = object.optional_object("winograd"))
    options.winograd = read_winograd(*winograd);
  for (const base::ValueReader& pin : object.optional_array("pins"))
    options.pins.push_back(read_pin(pin));
  object.finish();
  return options;
}

}  // namespace npusim::npu
