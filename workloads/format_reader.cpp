// SPDX-License-Identifier: Apache-2.0
#include "workloads/format_reader.h"

#include <stdexcept>

namespace npusim::workloads {
namespace {

using base::ObjectReader;
using base::ValueReader;
using precision::Format;

constexpr base::IntegerRange kRandomBits{1, 32};

template <class E>
E read_rule(ObjectReader& object, const char* key, const std::vector<std::string>& names,
            E fallback) {
  const auto value = object.optional(key);
  return value ? static_cast<E>(value->choice(names)) : fallback;
}

}  // namespace

std::string known_formats() {
  return base::one_of(precision::named_formats()) + ", or eXmY";
}

Format read_scale_format(const ValueReader& value) {
  const std::string name = value.string();
  if (!value.json().is_string()) return precision::fp32();  // reported already
  try {
    return precision::format_from_name(name);
  } catch (const std::invalid_argument&) {
    const std::string near = base::did_you_mean(name, precision::named_formats());
    value.error("unknown-format",
                "unknown number format \"" + name + "\"" +
                    (near.empty() ? "" : " (did you mean \"" + near + "\"?)"),
                known_formats());
    return precision::fp32();
  }
}

Format read_format(const ValueReader& value) {
  Format format = read_scale_format(value);
  if (!format.is_scale()) return format;
  value.error("scale-format", format.name + " holds scales, not numbers", known_formats());
  return precision::fp32();
}

void read_format_rules(ObjectReader& object, Format& format) {
  Format changed = format;
  changed.subnormals =
      read_rule(object, "subnormals", precision::subnormals_names(), format.subnormals);
  changed.overflow = read_rule(object, "overflow", precision::overflow_names(), format.overflow);
  changed.nan = read_rule(object, "nan", precision::nan_result_names(), format.nan);
  try {
    precision::validate(changed);
    format = changed;
  } catch (const std::invalid_argument& error) {
    object.self().error("illegal-combination", error.what(), "rules that the format can follow");
  }
}

Format read_format_with_rules(const ValueReader& value) {
  if (!value.json().is_object()) return read_format(value);
  ObjectReader reader(value);
  const auto name = reader.required("name", known_formats());
  Format format = name ? read_format(*name) : precision::fp32();
  read_format_rules(reader, format);
  reader.finish();
  return format;
}

precision::Arithmetic read_rounding(ObjectReader& object) {
  precision::Arithmetic arithmetic;
  arithmetic.rounding =
      read_rule(object, "rounding", precision::rounding_names(), precision::Rounding::rne);
  const bool stochastic = arithmetic.rounding == precision::Rounding::sr;
  if (stochastic) {
    arithmetic.random_bits = static_cast<int>(object.integer("random_bits", kRandomBits));
  } else if (object.has("random_bits")) {
    object.optional("random_bits");
    object.error("random_bits", "illegal-combination", "random bits go with rounding sr only",
                 "rounding sr, or no random_bits");
  }
  return arithmetic;
}

}  // namespace npusim::workloads
