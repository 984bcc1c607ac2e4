// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>

#include "npu_models/npu_file.h"
#include "npu_models/stage_reader.h"
#include "npu_models/unit_reader.h"

namespace npusim::npu {
namespace {

using precision::Format;
using precision::MacUnit;

constexpr base::IntegerRange kExponent{-1074, 1024};
constexpr base::IntegerRange kBlock{1, std::int64_t{1} << 20};
constexpr base::IntegerRange kStages{0, 8};
constexpr base::IntegerRange kIndex{0, 4095};

Format required_format(base::ObjectReader& root, const char* key) {
  const auto value = root.required(key, known_formats());
  return value ? read_format(*value) : precision::fp32();
}

void read_accumulator(base::ObjectReader& root, precision::Stage& accumulator) {
  accumulator.arithmetic = {precision::fp32(), precision::Rounding::rne, 0};
  auto object = root.object("accumulator");
  if (!object) return;
  accumulator = read_accumulator_stage(*object);
  accumulator.arithmetic = read_arithmetic(*object);
  object->finish();
}

/// How operands and c are read.
void read_inputs(base::ObjectReader& root, MacUnit& unit) {
  unit.a = required_format(root, "a");
  unit.b = required_format(root, "b");
  if (const auto c = root.optional("c")) unit.c = read_format(*c);
  for (const base::ValueReader& operand : root.optional_array("flush_inputs")) {
    bool* const flags[] = {&unit.flush_a, &unit.flush_b, &unit.flush_c};
    *flags[operand.choice({"a", "b", "c"})] = true;
  }
  if (const auto rounding = root.optional("input_rounding")) {
    const std::vector<std::string>& names = precision::deterministic_rounding_names();
    unit.input_rounding = precision::rounding_from_name(names[rounding->choice(names)]);
  }
}

void read_scales(base::ObjectReader& root, MacUnit& unit) {
  auto object = root.optional_object("scales");
  if (!object) return;
  precision::BlockScales scales;
  scales.block = object->integer("block", kBlock);
  if (const auto format = object->required("format", known_formats()))
    scales.format = read_scale_format(*format);
  scales.after_stages = static_cast<int>(object->integer("after_stages", kStages, 0));
  object->finish();
  unit.scales = scales;
}

}  // namespace

MacUnit load_mac_unit(const std::string& path, const std::vector<base::Override>& overrides) {
  base::Diagnostics diagnostics;
  const base::JsonValue document = base::load_config(path, "mac_unit", overrides, diagnostics);
  base::ObjectReader root(base::ValueReader(document, "", diagnostics));
  for (const char* header : {"schema_version", "kind"}) root.optional(header);
  MacUnit unit;
  unit.name = root.string("name");
  root.string("description", "");
  read_sources(root);
  read_inputs(root, unit);
  unit.product = read_product(root);
  if (root.has("product_infinite_from"))
    unit.product_limit = static_cast<int>(root.integer("product_infinite_from", kExponent));
  for (const base::ValueReader& index : root.optional_array("order"))
    unit.order.push_back(static_cast<int>(index.integer(kIndex, 0)));
  read_scales(root, unit);
  read_passes(root, unit.slices_a, unit.slices_b, unit.passes);
  std::vector<precision::Stage> inner = read_inner_stages(root);
  precision::Stage accumulator;
  read_accumulator(root, accumulator);
  unit.stages = complete_stages(std::move(inner), accumulator);
  root.finish();
  if (!diagnostics.spoilt()) {
    try {
      precision::validate(unit);
    } catch (const std::invalid_argument& mistake) {
      root.self().error("illegal-unit", mistake.what(),
                        "npu_models/README.md says what goes together");
    }
  }
  diagnostics.throw_if_any();
  return unit;
}

}  // namespace npusim::npu
