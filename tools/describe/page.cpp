// SPDX-License-Identifier: Apache-2.0
#include "tools/describe/page.h"

#include <algorithm>

namespace npusim::tools {
namespace {

constexpr std::size_t kWidth = 100;

std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> lines(1);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width)
      lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + word;
    at = end + 1;
  }
  return lines;
}

}  // namespace

Page::Page(std::string title, const std::string& description) : title_(std::move(title)) {
  if (!description.empty()) paragraphs_ = wrapped(description, kWidth);
}

void Page::fact(const std::string& label, const std::string& text) {
  if (!text.empty()) facts_.emplace_back(label, text);
}

void Page::table(const std::string& heading, const sim::TextTable& table) {
  if (table.rows() > 0) tables_.emplace_back(heading, table.aligned());
}

std::string Page::text() const {
  std::string text = title_ + "\n";
  for (const std::string& line : paragraphs_) text += line + "\n";
  if (!facts_.empty()) text += "\n";
  std::size_t width = 0;
  for (const auto& fact : facts_) width = std::max(width, fact.first.size());
  for (const auto& [label, value] : facts_) {
    std::string head = label + std::string(width - label.size() + 2, ' ');
    for (const std::string& line : wrapped(value, kWidth - std::min(width + 2, kWidth / 2))) {
      text += head + line + "\n";
      head.assign(width + 2, ' ');
    }
  }
  for (const auto& [heading, table] : tables_) text += "\n" + heading + "\n" + table;
  return text;
}

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t first = value < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string bytes_text(std::int64_t value) {
  static const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (unit + 1 < std::size(units) && value >= 1024 && value % 1024 == 0) {
    value /= 1024;
    ++unit;
  }
  return grouped(value) + " " + units[unit];
}

std::string joined(const std::vector<std::string>& parts, const std::string& separator) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : separator) + parts[i];
  return text;
}

std::string arithmetic_text(const precision::Arithmetic& arithmetic) {
  std::string text = arithmetic.format.name + " " + precision::name_of(arithmetic.rounding);
  if (arithmetic.format.subnormals == precision::Subnormals::flush) text += ", subnormals flushed";
  if (arithmetic.format.overflow == precision::Overflow::saturate) text += ", saturating";
  return text;
}

}  // namespace npusim::tools
