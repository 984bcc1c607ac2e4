// SPDX-License-Identifier: Apache-2.0
// The difference of two results as text, Markdown and JSON.
#include <fmt/format.h>

#include "sim/result_diff.h"
#include "sim/writers/text_table.h"

namespace npusim::sim {
namespace {

using Side = RunDifference::Side;

/// Values of one op, or of the resolved configs: many, and mostly a consequence.
bool is_detail(const std::string& pointer) {
  return pointer.find("/by_op/") != std::string::npos || pointer.rfind("/coverage/ops/", 0) == 0;
}

std::string ratio_text(const Change& change) {
  return change.ratio ? fmt::format("{:.4f}", *change.ratio) : "-";
}

TextTable table_of(const RunDifference& run, bool details) {
  TextTable table;
  for (const char* header : {"value", "before", "after"}) table.column(header);
  table.column("ratio", true);
  for (const Change& change : run.changes)
    if (details || !is_detail(change.pointer))
      table.row({change.pointer, change.before, change.after, ratio_text(change)});
  return table;
}

/// Formats that an NPU does not declare must not pass for those that it does.
const char* hypothetical_text(const RunDifference& run) {
  if (run.hypothetical_before && run.hypothetical_after) return " (hypothetical)";
  if (run.hypothetical_before) return " (hypothetical in the first file)";
  return run.hypothetical_after ? " (hypothetical in the second file)" : "";
}

std::string summary(const RunDifference& run, bool details) {
  if (run.side != Side::both)
    return run.side == Side::only_before ? "only in the first file" : "only in the second file";
  std::string text =
      run.changes.empty() ? "no difference" : fmt::format("{} values differ", run.changes.size());
  std::size_t hidden = 0;
  for (const Change& change : run.changes) hidden += is_detail(change.pointer) ? 1 : 0;
  if (!details && hidden != 0) text += fmt::format(" ({} of single ops, see --details)", hidden);
  text += sentence_of(run.bits, run.first_op);
  return details && run.moved ? text + "\n" + sentence_of(*run.moved) : text;
}

const char* name_of_side(Side side) {
  if (side == Side::both) return "both";
  return side == Side::only_before ? "first" : "second";
}

}  // namespace

std::string text_of(const ResultDifference& difference, bool details) {
  std::string text;
  for (const RunDifference& run : difference.runs) {
    text += run.run + hypothetical_text(run) + ": " + summary(run, details) + "\n";
    const TextTable table = table_of(run, details);
    if (table.rows() != 0) text += table.aligned() + "\n";
  }
  return text;
}

std::string markdown_of(const ResultDifference& difference, bool details) {
  std::string text;
  for (const RunDifference& run : difference.runs) {
    text += "### " + run.run + hypothetical_text(run) + "\n\n" + summary(run, details) + "\n\n";
    const TextTable table = table_of(run, details);
    if (table.rows() != 0) text += table.markdown() + "\n";
  }
  return text;
}

base::JsonValue json_of(const ResultDifference& difference) {
  using base::JsonValue;
  JsonValue runs = JsonValue::make_array();
  for (const RunDifference& run : difference.runs) {
    JsonValue item = JsonValue::make_object();
    item.set("run", run.run);
    item.set("in", name_of_side(run.side));
    if (run.hypothetical_before || run.hypothetical_after) {
      JsonValue hypothetical = JsonValue::make_object();
      hypothetical.set("before", run.hypothetical_before);
      hypothetical.set("after", run.hypothetical_after);
      item.set("hypothetical", std::move(hypothetical));
    }
    item.set("bits", name_of(run.bits));
    item.set("first_op",
             run.first_op.empty() ? JsonValue::make_null() : JsonValue::make_string(run.first_op));
    JsonValue changes = JsonValue::make_array();
    for (const Change& change : run.changes) {
      JsonValue entry = JsonValue::make_object();
      entry.set("pointer", change.pointer);
      entry.set("before", change.before);
      entry.set("after", change.after);
      entry.set("ratio",
                change.ratio ? JsonValue::make_real(*change.ratio) : JsonValue::make_null());
      changes.push_back(std::move(entry));
    }
    item.set("changes", std::move(changes));
    runs.push_back(std::move(item));
  }
  JsonValue object = JsonValue::make_object();
  object.set("schema_version", 1);
  object.set("equal", difference.empty());
  object.set("runs", std::move(runs));
  return object;
}

}  // namespace npusim::sim
