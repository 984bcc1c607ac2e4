// SPDX-License-Identifier: Apache-2.0
#include "tools/unit_operands.h"

#include <cmath>

#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/run_parts.h"
#include "tools/request.h"

namespace npusim::tools {
namespace {

/// Rows that do not fit are listed up to this many, then counted.
constexpr std::size_t kListed = 20;

std::string index_text(std::size_t flat, const std::vector<std::int64_t>& shape) {
  std::string text;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    const auto extent = static_cast<std::size_t>(shape[axis]);
    text = std::to_string(flat % extent) + (text.empty() ? "" : ", ") + text;
    flat /= extent;
  }
  return "[" + text + "]";
}

/// `rounding`: how values that the format does not have are rounded; nullptr: they are mistakes.
void fit(UnitOperand& operand, const precision::Format& format, const precision::Rounding* rounding,
         Misfits& misfits) {
  std::vector<double>& values = operand.array.values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (precision::representable(values[i], format)) continue;
    if (rounding != nullptr)
      values[i] = precision::round_to(values[i], format, *rounding);
    else
      misfits.add(operand.file,
                  operand.name + index_text(operand.first + i, operand.array.shape) + " = " +
                      exact_text(values[i]) + " is not a value of " + format.name,
                  "values of " + format.name + ", or --round-inputs");
  }
}

}  // namespace

std::string exact_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-infinity" : "infinity";
  return base::dump_json(base::JsonValue::make_real(value), -1);
}

ChosenUnit choose_unit(const std::string& name, const CommonOptions& common) {
  const std::vector<base::ParsedOverride> all = options_of(common).overrides;
  for (const base::ParsedOverride& item : all)
    if (item.kind != "unit")
      throw base::InputError(item.override.text + ": paths of a unit start with unit",
                             "unknown-path");
  ChosenUnit chosen;
  chosen.overrides = sim::overrides_of(all, "unit");
  chosen.file = sim::find_file("mac_unit", name);
  chosen.unit = npu::load_mac_unit(chosen.file, chosen.overrides);
  return chosen;
}

void Misfits::add(const std::string& file, const std::string& what, const std::string& allowed) {
  if (++count_ > kListed) return;
  base::Diagnostic diagnostic;
  diagnostic.file = file;
  diagnostic.code = "not-representable";
  diagnostic.message = what;
  diagnostic.allowed = allowed;
  items_.push_back(std::move(diagnostic));
}

void Misfits::throw_if_any() {
  if (count_ > kListed) {
    base::Diagnostic rest;
    rest.code = "not-representable";
    rest.message = "and " + std::to_string(count_ - kListed) + " more values";
    items_.push_back(std::move(rest));
  }
  if (count_ > 0) throw base::InputError(items_);
}

void fit_operands(UnitOperand& a, UnitOperand& b, UnitOperand& c, const precision::MacUnit& unit,
                  bool round, Misfits& misfits) {
  const precision::Rounding nearest = precision::Rounding::rne;
  fit(a, unit.a, round ? &unit.input_rounding : nullptr, misfits);
  fit(b, unit.b, round ? &unit.input_rounding : nullptr, misfits);
  fit(c, unit.c_format(), round ? &nearest : nullptr, misfits);
}

void fit_operands(UnitOperand& a, UnitOperand& b, UnitOperand& c, const precision::MacUnit& unit,
                  bool round) {
  Misfits misfits;
  fit_operands(a, b, c, unit, round, misfits);
  misfits.throw_if_any();
}

std::int64_t scale_blocks(const precision::MacUnit& unit, std::int64_t k) {
  return unit.scales ? (k + unit.scales->block - 1) / unit.scales->block : 0;
}

void fit_scales(const UnitOperand& scales, const precision::MacUnit& unit, Misfits& misfits) {
  if (!unit.scales) return;
  const std::vector<double>& values = scales.array.values;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!precision::representable(values[i], unit.scales->format))
      misfits.add(scales.file,
                  scales.name + index_text(scales.first + i, scales.array.shape) + " = " +
                      exact_text(values[i]) + " is not a value of " + unit.scales->format.name,
                  "values of " + unit.scales->format.name);
}

std::vector<double> scales_of_terms(const UnitOperand& scales, std::int64_t row, std::int64_t k,
                                    const precision::MacUnit& unit) {
  std::vector<double> terms;
  const std::int64_t blocks = scale_blocks(unit, k);
  for (std::int64_t i = 0; i < k && unit.scales; ++i)
    terms.push_back(
        scales.array.values[static_cast<std::size_t>(row * blocks + i / unit.scales->block)]);
  return terms;
}

}  // namespace npusim::tools
