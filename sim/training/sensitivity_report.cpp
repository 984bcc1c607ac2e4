// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "sim/training/sensitivity.h"
#include "sim/version.h"
#include "sim/writers/text_table.h"

namespace npusim::sim {
namespace {

using base::JsonValue;

std::vector<std::string> cells_of(const SensitivityRow& row, const SensitivityRow& base) {
  std::vector<std::string> cells = {name_of(row.part), row.name, row.candidate};
  const bool ran = row.status == TrainStatus::ok;
  cells.push_back(ran ? fmt::format("{:+.6f}", row.loss_change) : "-");
  cells.push_back(ran ? fmt::format("{:+.2f}", 100.0 * row.accuracy_change) : "-");
  cells.push_back(ran ? fmt::format("{:.2f}", 100.0 * row.agreement) : "-");
  cells.push_back(ran ? fmt::format("{:.2f}", 100.0 * row.bytes / base.bytes) : "-");
  cells.push_back(name_of(row.status) + std::string(mark_of(row.hypothetical)) +
                  (row.error.empty() ? "" : ": " + row.error));
  return cells;
}

TextTable table(const Sensitivity& result) {
  TextTable table;
  for (const char* text : {"part", "name", "lowered to"}) table.column(text);
  for (const char* number : {"loss", "accuracy [points]", "agreement [%]", "bytes [%]"})
    table.column(number, true);
  table.column("status");
  for (const SensitivityRow& row : result.rows) table.row(cells_of(row, result.base_row));
  return table;
}

JsonValue json_of(const SensitivityRow& row) {
  JsonValue v = JsonValue::make_object();
  v.set("part", name_of(row.part));
  v.set("name", row.name);
  v.set("candidate", row.candidate);
  v.set("status", name_of(row.status));
  v.set("error", row.error);
  v.set("loss", row.loss);
  v.set("accuracy", row.accuracy);
  v.set("agreement", row.agreement);
  v.set("loss_change", row.loss_change);
  v.set("accuracy_change", row.accuracy_change);
  v.set("bytes", row.bytes);
  if (!row.hypothetical.empty()) v.set("hypothetical", sim::json_of(row.hypothetical));
  return v;
}

JsonValue list_of(const std::vector<SensitivityRow>& rows) {
  JsonValue list = JsonValue::make_array();
  for (const SensitivityRow& row : rows) list.push_back(json_of(row));
  return list;
}

std::string parts_of(const std::vector<SensitivityRow>& rows) {
  std::string text;
  for (const SensitivityRow& row : rows)
    text += fmt::format(" {} {} in {};", name_of(row.part), row.name, row.candidate);
  if (!text.empty()) text.back() = '.';
  return text;
}

std::string conclusion(const Sensitivity& result) {
  if (result.interrupted) return "Interrupted: no assignment was searched for.\n";
  std::string text;
  if (!result.same.empty()) text += "Nothing to lower:" + parts_of(result.same) + "\n";
  text +=
      fmt::format("Base {}: loss {:.4f}, accuracy {:.2f} %{}\n", result.base, result.base_row.loss,
                  100.0 * result.base_row.accuracy, mark_of(result.base_row.hypothetical));
  if (result.chosen.empty()) return text + "No part can be lowered within the bound.\n";
  text += "Within the bound together:" + parts_of(result.chosen);
  text += fmt::format(" Loss {:+.6f}, accuracy {:+.2f} points, {:.2f} % of the bytes.\n",
                      result.assignment.loss_change, 100.0 * result.assignment.accuracy_change,
                      100.0 * result.assignment.bytes / result.base_row.bytes);
  const std::string hypothetical = text_of(result.assignment.hypothetical);
  return hypothetical.empty() ? text : text + hypothetical + "\n";
}

}  // namespace

JsonValue json_of(const Sensitivity& result) {
  JsonValue v = JsonValue::make_object();
  v.set("schema_version", 1);
  v.set("kind", "sensitivity");
  v.set("tool_version", version());
  v.set("npu", result.npu.empty() ? JsonValue::make_null() : JsonValue::make_string(result.npu));
  v.set("workload", result.workload);
  v.set("base", result.base);
  v.set("base_row", json_of(result.base_row));
  v.set("rows", list_of(result.rows));
  JsonValue same = JsonValue::make_array();
  for (const SensitivityRow& row : result.same) {
    JsonValue item = JsonValue::make_object();
    item.set("part", name_of(row.part));
    item.set("name", row.name);
    item.set("candidate", row.candidate);
    same.push_back(std::move(item));
  }
  v.set("nothing_to_lower", std::move(same));
  v.set("chosen", list_of(result.chosen));
  v.set("assignment", json_of(result.assignment));
  v.set("recipe", result.recipe);
  return v;
}

std::string text_of(const Sensitivity& result) {
  return table(result).aligned() + "\n" + conclusion(result);
}

std::string markdown_of(const Sensitivity& result) {
  return table(result).markdown() + "\n" + conclusion(result);
}

std::string csv_of(const Sensitivity& result) {
  return table(result).csv();
}

}  // namespace npusim::sim
