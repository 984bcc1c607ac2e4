// SPDX-License-Identifier: Apache-2.0
#include "npu_models/unit_reader.h"

#include <stdexcept>

namespace npusim::npu {
namespace {

constexpr base::IntegerRange kGroupTerms{2, std::int64_t{1} << 20};
const char* const kAsAccumulator = "accumulator";

precision::Stage read_stage(const base::ValueReader& value) {
  base::ObjectReader object(value);
  precision::Stage stage;
  stage.terms = object.integer("terms", kGroupTerms);
  stage.combine = object.choice<precision::Combine>(
      "combine", {{"tree", precision::Combine::tree}, {"chain", precision::Combine::chain}});
  const base::JsonValue* format = value.json().is_object() ? value.json().find("format") : nullptr;
  if (format != nullptr && format->is_string() && format->string() == kAsAccumulator) {
    object.optional("format");
    stage.arithmetic.format = precision::Format{};
  } else {
    stage.arithmetic = read_arithmetic(object);
  }
  object.finish();
  return stage;
}

}  // namespace

std::string known_formats() {
  return base::one_of(precision::named_formats()) + ", or eXmY";
}

precision::Format read_format(const base::ValueReader& value) {
  const std::string name = value.string();
  try {
    return precision::format_from_name(name);
  } catch (const std::invalid_argument&) {
    // A value that is no string has been reported already.
    if (value.json().is_string()) {
      const std::string guess = base::did_you_mean(name, precision::named_formats());
      value.error("unknown-format",
                  "unknown number format \"" + name + "\"" +
                      (guess.empty() ? "" : "; did you mean \"" + guess + "\"?"),
                  known_formats());
    }
    return precision::fp32();
  }
}

precision::Arithmetic read_arithmetic(base::ObjectReader& object) {
  precision::Arithmetic arithmetic;
  const auto format = object.required("format", known_formats());
  arithmetic.format = format ? read_format(*format) : precision::fp32();
  if (const auto rounding = object.optional("rounding")) {
    const std::vector<std::string>& names = precision::deterministic_rounding_names();
    arithmetic.rounding = precision::rounding_from_name(names[rounding->choice(names)]);
  }
  arithmetic.format.subnormals = object.choice<precision::Subnormals>(
      "subnormals",
      {{"keep", precision::Subnormals::keep}, {"flush", precision::Subnormals::flush}},
      arithmetic.format.subnormals);
  arithmetic.format.overflow = object.choice<precision::Overflow>(
      "overflow",
      {{"infinity", precision::Overflow::infinity}, {"saturate", precision::Overflow::saturate}},
      arithmetic.format.overflow);
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

std::vector<precision::Stage> read_inner_stages(base::ObjectReader& object) {
  std::vector<precision::Stage> stages;
  for (const base::ValueReader& value : object.optional_array("inner_stages"))
    stages.push_back(read_stage(value));
  return stages;
}

std::vector<precision::Stage> complete_stages(std::vector<precision::Stage> inner,
                                              const precision::Arithmetic& accumulator) {
  for (precision::Stage& stage : inner)
    if (stage.arithmetic.format.name.empty()) stage.arithmetic = accumulator;
  precision::Stage last;
  last.arithmetic = accumulator;
  inner.push_back(last);
  return inner;
}

}  // namespace npusim::npu
