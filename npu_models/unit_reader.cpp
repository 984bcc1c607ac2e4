// SPDX-License-Identifier: Apache-2.0
#include "npu_models/unit_reader.h"

namespace npusim::npu {

precision::Arithmetic read_arithmetic(base::ObjectReader& object) {
  const auto format = object.required("format", known_formats());
  precision::Arithmetic arithmetic = workloads::read_rounding(object);
  arithmetic.format = format ? read_format(*format) : precision::fp32();
  workloads::read_format_rules(object, arithmetic.format);
  return arithmetic;
}

void read_sources(base::ObjectReader& object) {
  const auto sources = object.optional("sources");
  if (!sources) return;
  for (const auto& source : sources->members()) source.second.string();
}

std::optional<precision::Arithmetic> read_product(base::ObjectReader& object) {
  const auto value = object.optional("product");
  if (!value) return std::nullopt;
  if (value->json().is_object()) {
    base::ObjectReader product(*value);
    precision::Arithmetic arithmetic = read_arithmetic(product);
    product.finish();
    return arithmetic;
  }
  value->choice({"exact"});
  return std::nullopt;
}

}  // namespace npusim::npu
