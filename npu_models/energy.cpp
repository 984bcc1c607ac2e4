// SPDX-License-Identifier: Apache-2.0
#include "npu_models/energy.h"

#include "precision/magnitude_bounds.h"

#include <array>

namespace npusim::npu {
namespace {

struct TableRow {
  const char* name;
  int significand_bits;
  double multiply_pj;
  double add_pj;
};
// By significand width, ascending.
constexpr std::array<TableRow, 3> kTable = {{
    {"bf16", 8, 0.21, 0.11},
    {"fp16", 11, 0.34, 0.16},
    {"fp32", 24, 1.31, 0.38},
}};

const TableRow& base_row(const precision::Format& format) {
  for (const TableRow& row : kTable)
    if (format.name == row.name) return row;
  for (const TableRow& row : kTable)
    if (row.significand_bits >= format.precision()) return row;
  return kTable.back();
}

double ratio(const precision::Format& format, const TableRow& row) {
  return static_cast<double>(format.precision()) / static_cast<double>(row.significand_bits);
}

}  // namespace

double multiply_pj(const EnergySpec& energy, const precision::Format& format) {
  const auto given = energy.multiply_pj.find(format.name);
  if (given != energy.multiply_pj.end()) return given->second;
  const TableRow& row = base_row(format);
  return row.multiply_pj * ratio(format, row) * ratio(format, row);
}

double add_pj(const EnergySpec& energy, const precision::Format& format) {
  const auto given = energy.add_pj.find(format.name);
  if (given != energy.add_pj.end()) return given->second;
  const TableRow& row = base_row(format);
  return row.add_pj * ratio(format, row);
}

namespace {

/// A multiplier costs what its wider operand asks for.
double product_pj(const EnergySpec& energy, const precision::Format& a,
                  const precision::Format& b) {
  return multiply_pj(energy, a.precision() >= b.precision() ? a : b);
}

/// Multiplications and additions of one pass.
double pass_pj(const EnergySpec& energy, const precision::MacUnit& unit, const precision::Format& a,
               const precision::Format& b) {
  double picojoule = product_pj(energy, a, b);
  double values = 1.0;  // per product, entering the stage
  for (std::size_t i = 0; i + 1 < unit.stages.size(); ++i) {
    const precision::Stage& stage = unit.stages[i];
    const double terms = static_cast<double>(stage.terms);
    picojoule += values * (terms - 1.0) / terms * add_pj(energy, stage.arithmetic.format);
    values /= terms;
  }
  return picojoule + values * add_pj(energy, unit.accumulator().format);
}

}  // namespace

double mac_pj(const EnergySpec& energy, const precision::MacUnit& unit) {
  if (unit.passes.order.empty()) return pass_pj(energy, unit, unit.a, unit.b);
  double picojoule = 0.0;
  for (const auto& [a, b] : unit.passes.order)
    picojoule += pass_pj(energy, unit, precision::sliced_format(unit.a, unit.slices_a, a),
                         precision::sliced_format(unit.b, unit.slices_b, b));
  return picojoule;
}

}  // namespace npusim::npu
