// SPDX-License-Identifier: Apache-2.0
// A description for a terminal: a title, labelled facts in one column, then tables.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "precision/rounding.h"
#include "sim/writers/text_table.h"

namespace npusim::tools {

class Page {
 public:
  explicit Page(std::string title, const std::string& description = {});
  /// Long facts are wrapped under their label's column. Empty ones are left out.
  void fact(const std::string& label, const std::string& text);
  void table(const std::string& heading, const sim::TextTable& table);
  std::string text() const;

 private:
  std::string title_;
  std::vector<std::string> paragraphs_;
  std::vector<std::pair<std::string, std::string>> facts_;
  std::vector<std::pair<std::string, std::string>> tables_;
};

std::string grouped(std::int64_t value);     ///< 1,234,567
std::string bytes_text(std::int64_t value);  ///< "512 KiB", "1,000 B"
std::string joined(const std::vector<std::string>& parts, const std::string& separator = ", ");
/// "fp16 rne", with the rules that are not the format's usual ones.
std::string arithmetic_text(const precision::Arithmetic& arithmetic);

}  // namespace npusim::tools
