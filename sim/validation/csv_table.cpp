// SPDX-License-Identifier: Apache-2.0
#include "sim/validation/csv_table.h"

#include <fstream>
#include <stdexcept>

#include "base/error.h"

namespace npusim::sim {
namespace {

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else if (c != '\r') {
      cells.back() += c;
    }
  }
  return cells;
}

}  // namespace

CsvTable::CsvTable(const std::string& file) : file_(file) {
  std::ifstream stream(file);
  std::string line;
  if (!stream || !std::getline(stream, line)) fail(1, "cannot be read", "a CSV file");
  header_ = cells_of(line);
  for (std::size_t number = 2; std::getline(stream, line); ++number)
    if (line.find_first_not_of(" \r") != std::string::npos)
      rows_.push_back({number, cells_of(line)});
  if (rows_.empty()) fail(2, "there are no rows", "a row a measurement");
}

int CsvTable::column_of(std::initializer_list<const char*> columns) const {
  for (const char* name : columns)
    for (std::size_t i = 0; i < header_.size(); ++i)
      if (header_[i] == name) return static_cast<int>(i);
  return -1;
}

std::string CsvTable::text(std::size_t row, std::initializer_list<const char*> columns) const {
  const int column = column_of(columns);
  const std::vector<std::string>& cells = rows_[row].cells;
  if (column < 0 || static_cast<std::size_t>(column) >= cells.size()) return {};
  return cells[static_cast<std::size_t>(column)];
}

double CsvTable::positive(std::size_t row, std::initializer_list<const char*> columns) const {
  const std::string cell = text(row, columns);
  try {
    std::size_t used = 0;
    const double value = std::stod(cell, &used);
    if (value > 0.0 && used == cell.size()) return value;
  } catch (const std::logic_error&) {
  }
  fail(rows_[row].line, std::string(*columns.begin()) + " is \"" + cell + "\"",
       "a positive number");
}

void CsvTable::fail(std::size_t line, const std::string& message,
                    const std::string& allowed) const {
  base::Diagnostic diagnostic;
  diagnostic.file = file_;
  diagnostic.line = static_cast<int>(line);
  diagnostic.code = "bad-reference";
  diagnostic.message = message;
  diagnostic.allowed = allowed;
  throw base::InputError(std::vector<base::Diagnostic>{diagnostic});
}

}  // namespace npusim::sim
