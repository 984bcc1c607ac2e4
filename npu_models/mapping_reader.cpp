// SPDX-License-Identifier: Apache-2.0
#include "npu_models/mapping_reader.h"

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
  if (object.has("queries")) pin.queries = object.integer("queries", base::kPositive);
  if (object.has("keys")) pin.keys = object.integer("keys", base::kPositive);
  if (!pin.fused && (pin.queries || pin.keys))
    object.error("fused", "contradiction", "blocks are pinned of an attention that is not fused",
                 "true, or neither queries nor keys");
  object.finish();
  return pin;
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
  for (const base::ValueReader& pin : object.optional_array("pins"))
    options.pins.push_back(read_pin(pin));
  object.finish();
  return options;
}

}  // namespace npusim::npu
