// SPDX-License-Identifier: Apache-2.0
// Rows of text cells, printed aligned for a terminal, as Markdown or as CSV (RFC 4180).
#pragma once

#include <string>
#include <vector>

namespace npusim::sim {

class TextTable {
 public:
  /// right: numbers, aligned to the right.
  void column(std::string header, bool right = false);
  void row(std::vector<std::string> cells);
  std::size_t rows() const { return rows_.size(); }

  std::string aligned() const;
  std::string markdown() const;
  std::string csv() const;

 private:
  std::vector<std::string> headers_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace npusim::sim
