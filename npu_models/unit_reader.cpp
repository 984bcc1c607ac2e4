// SPDX-License-Identifier: Apache-2.0
#include "npu_models/unit_reader.h"

#include <stdexcept>

namespace npusim::npu {
namespace {

constexpr base::IntegerRange kRandomBits{1, 32};

}  // namespace

std::string known_formats() {
  return base::one_of(precision::named_formats()) + ", or eXmY";
}

precision::Format read_scale_format(const base::ValueReader& value) {
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

precision::Format read_format(const base::ValueReader& value) {
  precision::Format format = read_scale_format(value);
  if (!format.is_scale()) return format;
  value.error("scale-format", format.name + " holds scales, not numbers", known_formats());
  return precision::fp32();
}

void read_format_rules(base::ObjectReader& object, precision::Format& format) {
  using precision::NanResult;
  using precision::Overflow;
  using precision::Subnormals;
  format.subnormals =
      object.choice<Subnormals>("subnormals",
                                {{"keep", Subnormals::keep},
                                 {"flush", Subnormals::flush},
                                 {"flush_tiny_after", Subnormals::flush_tiny_after},
                                 {"flush_tiny_before", Subnormals::flush_tiny_before}},
                                format.subnormals);
  format.overflow = object.choice<Overflow>("overflow",
                                            {{"infinity", Overflow::infinity},
                                             {"always_infinity", Overflow::always_infinity},
                                             {"saturate", Overflow::saturate},
                                             {"nan", Overflow::nan}},
                                            format.overflow);
  format.nan = object.choice<NanResult>(
      "nan", {{"keep", NanResult::keep}, {"zero", NanResult::zero}}, format.nan);
}

precision::Arithmetic read_arithmetic(base::ObjectReader& object) {
  precision::Arithmetic arithmetic;
  const auto format = object.required("format", known_formats());
  arithmetic.format = format ? read_format(*format) : precision::fp32();
  if (const auto rounding = object.optional("rounding")) {
    const std::vector<std::string>& names = precision::rounding_names();
    arithmetic.rounding = precision::rounding_from_name(names[rounding->choice(names)]);
  }
  if (arithmetic.rounding == precision::Rounding::sr || object.has("random_bits"))
    arithmetic.random_bits = static_cast<int>(object.integer("random_bits", kRandomBits));
  read_format_rules(object, arithmetic.format);
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
