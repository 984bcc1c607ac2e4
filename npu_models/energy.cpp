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
constexpr std::array<TableRow, 3> kTable7 = {{
    {"bf16", 8, 0.21, 0.11},
    {"fp16", 11, 0.34, 0.16},
    {"fp32", 24, 1.31, 0.38},
}};
constexpr std::array<TableRow, 2> kTable45 = {{
    {"fp16", 11, 1.1, 0.4},
    {"fp32", 24, 3.7, 0.9},
}};

template <std::size_t kRows>
const TableRow& row_in(const std::array<TableRow, kRows>& table, const precision::Format& format) {
  for (const TableRow& row : table)
    if (format.name == row.name) return row;
  for (const TableRow& row : table)
    if (row.significand_bits >= format.precision()) return row;
  return table.back();
}

const TableRow& base_row(const EnergySpec& energy, const precision::Format& format) {
  return energy.table == EnergyTable::nm7 ? row_in(kTable7, format) : row_in(kTable45, format);
}

double ratio(const precision::Format& format, const TableRow& row) {
  return static_cast<double>(format.precision()) / static_cast<double>(row.significand_bits);
}

}  // namespace

MemoryEnergy memory_energy(EnergyTable table) {
  if (table == EnergyTable::nm45) return {100.0 / 8.0, 20.0 / 8.0, 1300.0 / 8.0};
  return {14.0 / 8.0, 8.5 / 8.0, 350.0 / 8.0};
}

double multiply_pj(const EnergySpec& energy, const precision::Format& format) {
  const auto given = energy.multiply_pj.find(format.name);
  if (given != energy.multiply_pj.end()) return given->second;
  const TableRow& row = base_row(energy, format);
  return row.multiply_pj * ratio(format, row) * ratio(format, row);
}

double add_pj(const EnergySpec& energy, const precision::Format& format) {
  const auto given = energy.add_pj.find(format.name);
  if (given != energy.add_pj.end()) return given->second;
  const TableRow& row = base_row(energy, format);
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
