// SPDX-License-Identifier: Apache-2.0
#include "workloads/reader/expression.h"
#include "workloads/reader/flatten.h"

namespace npusim::workloads {
namespace {

using base::ValueReader;

std::optional<std::int64_t> integer_expression(const ValueReader& value, base::IntegerRange range,
                                               Parameters& parameters) {
  std::int64_t result = 0;
  try {
    result = evaluate(value.json().string(), parameters);
  } catch (const base::InputError& error) {
    for (const base::Diagnostic& item : error.diagnostics())
      value.error(item.code, item.message,
                  "an integer, or an expression of the parameters " + parameters.known());
    return std::nullopt;
  }
  if (result >= range.low && result <= range.high) return result;
  value.error(
      "out-of-range",
      "\"" + value.json().string() + "\" is " + std::to_string(result) + ", which is out of range",
      base::allowed_text(range));
  return std::nullopt;
}

/// Runs one read of the strict reader; nullopt when it reported a mistake.
template <class Read>
auto checked(const ValueReader& value, const Read& read) -> std::optional<decltype(read())> {
  const std::size_t before = value.diagnostics().items().size();
  auto result = read();
  if (value.diagnostics().items().size() > before) return std::nullopt;
  return result;
}

std::optional<Attribute> read_list(const ValueReader& value, bool integers,
                                   Parameters& parameters) {
  return checked(value, [&]() -> Attribute {
    std::vector<std::int64_t> whole;
    std::vector<double> real;
    for (const ValueReader& item : value.array()) {
      if (integers)
        whole.push_back(read_integer(item, {}, parameters).value_or(0));
      else
        real.push_back(item.number({}));
    }
    return integers ? Attribute(std::move(whole)) : Attribute(std::move(real));
  });
}

}  // namespace

std::optional<std::int64_t> read_integer(const ValueReader& value, base::IntegerRange range,
                                         Parameters& parameters) {
  if (value.json().is_string()) return integer_expression(value, range, parameters);
  return checked(value, [&] { return value.integer(range); });
}

std::optional<Attribute> read_attribute(const ValueReader& value, const AttributeSpec& spec,
                                        Parameters& parameters) {
  if (std::holds_alternative<std::vector<std::int64_t>>(spec.fallback))
    return read_list(value, true, parameters);
  if (std::holds_alternative<std::vector<double>>(spec.fallback))
    return read_list(value, false, parameters);
  if (std::holds_alternative<std::int64_t>(spec.fallback)) {
    const auto integer = read_integer(value, {}, parameters);
    return integer ? std::optional<Attribute>(*integer) : std::nullopt;
  }
  return checked(value, [&]() -> Attribute {
    if (std::holds_alternative<double>(spec.fallback)) return value.number({});
    return value.string();
  });
}

}  // namespace npusim::workloads
