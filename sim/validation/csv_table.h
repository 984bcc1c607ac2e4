// SPDX-License-Identifier: Apache-2.0
// A CSV file with a header, for figures that others published. Cells may stand in double quotes.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

namespace npusim::sim {

class CsvTable {
 public:
  /// Throws base::InputError when it cannot be read or has no rows.
  explicit CsvTable(const std::string& file);

  std::size_t rows() const { return rows_.size(); }
  bool has(const char* column) const { return column_of({column}) >= 0; }
  /// The cell under the first of the names that the header has; "" where there is none.
  std::string text(std::size_t row, std::initializer_list<const char*> columns) const;
  /// Throws base::InputError naming the line unless it is a positive number.
  double positive(std::size_t row, std::initializer_list<const char*> columns) const;
  /// Throws base::InputError at a line; the header is line 1.
  [[noreturn]] void fail(std::size_t line, const std::string& message,
                         const std::string& allowed) const;

 private:
  struct Row {
    std::size_t line;
    std::vector<std::string> cells;
  };
  int column_of(std::initializer_list<const char*> columns) const;

  std::string file_;
  std::vector<std::string> header_;
  std::vector<Row> rows_;
};

}  // namespace npusim::sim
