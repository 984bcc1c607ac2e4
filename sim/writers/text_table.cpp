// SPDX-License-Identifier: Apache-2.0
#include "sim/writers/text_table.h"

#include <algorithm>

#include "base/error.h"

namespace npusim::sim {
namespace {

/// Columns a terminal shows for UTF-8 text (every code point here is one column wide).
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string padded(const std::string& text, std::size_t to, bool right) {
  const std::string space(to - std::min(to, width(text)), ' ');
  return right ? space + text : text + space;
}

std::string quoted(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string out = "\"";
  for (const char c : cell) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string bar_escaped(const std::string& cell) {
  std::string out;
  for (const char c : cell) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

}  // namespace

void TextTable::column(std::string header, bool right) {
  headers_.push_back(std::move(header));
  right_.push_back(right);
}

void TextTable::row(std::vector<std::string> cells) {
  NPUSIM_CHECK(cells.size() == headers_.size(), "a row needs one cell a column");
  rows_.push_back(std::move(cells));
}

std::string TextTable::aligned() const {
  std::vector<std::size_t> widths;
  for (const std::string& header : headers_) widths.push_back(width(header));
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i)
      text += (i == 0 ? "" : "  ") + padded(cells[i], widths[i], right_[i]);
    text.erase(text.find_last_not_of(' ') + 1);
    return text + "\n";
  };
  std::string text = line(headers_);
  std::vector<std::string> rules;
  for (const std::size_t w : widths) rules.emplace_back(w, '-');
  text += line(rules);
  for (const auto& row : rows_) text += line(row);
  return text;
}

std::string TextTable::markdown() const {
  const auto line = [](const std::vector<std::string>& cells) {
    std::string text = "|";
    for (const std::string& cell : cells) text += " " + bar_escaped(cell) + " |";
    return text + "\n";
  };
  std::string text = line(headers_) + "|";
  for (const bool right : right_) text += right ? "---:|" : "---|";
  text += "\n";
  for (const auto& row : rows_) text += line(row);
  return text;
}

std::string TextTable::csv() const {
  const auto line = [](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) text += (i == 0 ? "" : ",") + quoted(cells[i]);
    return text + "\r\n";
  };
  std::string text = line(headers_);
  for (const auto& row : rows_) text += line(row);
  return text;
}

}  // namespace npusim::sim
