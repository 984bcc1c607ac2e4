// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>

#include "npu_models/npu_file.h"
#include "npu_models/unit_reader.h"

namespace npusim::npu {
namespace {

precision::Arithmetic read_accumulator(base::ObjectReader& root) {
  auto object = root.object("accumulator");
  if (!object) return {precision::fp32(), precision::Rounding::rne};
  const precision::Arithmetic arithmetic = read_arithmetic(*object);
  object->finish();
  return arithmetic;
}

}  // namespace

precision::MacUnit load_mac_unit(const std::string& path,
                                 const std::vector<base::Override>& overrides) {
  base::Diagnostics diagnostics;
  const base::JsonValue document = base::load_config(path, "mac_unit", overrides, diagnostics);
  base::ObjectReader root(base::ValueReader(document, "", diagnostics));
  for (const char* header : {"schema_version", "kind"}) root.optional(header);
  precision::MacUnit unit;
  unit.name = root.string("name");
  root.string("description", "");
  read_sources(root);
  const auto a = root.required("a", known_formats());
  const auto b = root.required("b", known_formats());
  unit.a = a ? read_format(*a) : precision::fp32();
  unit.b = b ? read_format(*b) : precision::fp32();
  unit.product = read_product(root);
  std::vector<precision::Stage> inner = read_inner_stages(root);
  unit.stages = complete_stages(std::move(inner), read_accumulator(root));
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
