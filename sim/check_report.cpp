// SPDX-License-Identifier: Apache-2.0
// A check report as text, JUnit XML, Markdown and JSON.
#include <fmt/format.h>

#include "sim/check.h"
#include "sim/writers/text_table.h"

namespace npusim::sim {
namespace {

std::string xml_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string line_of(const Violation& v) {
  return fmt::format("{}: baseline {}, now {} (allowed: {})", v.pointer, v.baseline, v.current,
                     v.limit);
}

std::string failure_text(const CheckRow& row) {
  std::string text = row.error;
  for (const Violation& violation : row.violations)
    text += (text.empty() ? "" : "\n") + line_of(violation);
  return text;
}

/// The name, marked where the run is hypothetical.
std::string marked(const CheckRow& row) {
  return row.name + (row.hypothetical ? " (hypothetical)" : "");
}

std::size_t failures(const CheckReport& report) {
  std::size_t count = 0;
  for (const CheckRow& row : report.rows) count += row.passed() ? 0 : 1;
  return count;
}

}  // namespace

std::string text_of(const CheckReport& report, bool bisect) {
  std::string text;
  for (const CheckRow& row : report.rows) {
    text += fmt::format("{} {}{}\n", row.passed() ? "PASS" : "FAIL", marked(row),
                        sentence_of(row.bits, row.first_op));
    if (!row.error.empty()) text += fmt::format("  {}\n", row.error);
    if (bisect && row.error.empty())
      text += "  " +
              (row.moved ? sentence_of(*row.moved) : "no tensor's bits are known to differ") + "\n";
    for (const Violation& violation : row.violations)
      text += fmt::format("  {}: {}\n", row.name, line_of(violation));
  }
  return text + fmt::format("{}: {} of {} passed\n", report.suite,
                            report.rows.size() - failures(report), report.rows.size());
}

std::string junit_of(const CheckReport& report) {
  std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  text += fmt::format("<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">\n",
                      xml_escaped(report.suite), report.rows.size(), failures(report));
  for (const CheckRow& row : report.rows) {
    text += fmt::format("  <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"",
                        xml_escaped(report.suite), xml_escaped(marked(row)), row.wall_seconds);
    if (row.passed()) {
      text += "/>\n";
      continue;
    }
    text += fmt::format(">\n    <failure message=\"{}\">{}</failure>\n  </testcase>\n",
                        row.error.empty() ? fmt::format("{} violations", row.violations.size())
                                          : xml_escaped(row.error),
                        xml_escaped(failure_text(row)));
  }
  return text + "</testsuite>\n";
}

std::string markdown_of(const CheckReport& report) {
  TextTable table;
  for (const char* header : {"run", "result", "metric", "baseline", "now", "allowed"})
    table.column(header);
  for (const CheckRow& row : report.rows) {
    if (row.violations.empty())
      table.row({marked(row), row.passed() ? "pass" : "**fail** " + row.error, "", "", "", ""});
    for (const Violation& v : row.violations)
      table.row({marked(row), "**fail**" + sentence_of(row.bits, row.first_op), v.pointer,
                 v.baseline, v.current, v.limit});
  }
  return fmt::format("### {}: {} of {} passed\n\n", report.suite,
                     report.rows.size() - failures(report), report.rows.size()) +
         table.markdown();
}

base::JsonValue json_of(const CheckReport& report) {
  base::JsonValue object = base::JsonValue::make_object();
  object.set("schema_version", kResultSchemaVersion);
  object.set("suite", report.suite);
  object.set("passed", report.passed());
  base::JsonValue rows = base::JsonValue::make_array();
  for (const CheckRow& row : report.rows) {
    base::JsonValue item = base::JsonValue::make_object();
    item.set("name", row.name);
    item.set("passed", row.passed());
    if (row.hypothetical) item.set("hypothetical", true);
    item.set("error", row.error.empty() ? base::JsonValue::make_null()
                                        : base::JsonValue::make_string(row.error));
    base::JsonValue violations = base::JsonValue::make_array();
    for (const Violation& v : row.violations) {
      base::JsonValue entry = base::JsonValue::make_object();
      entry.set("pointer", v.pointer);
      entry.set("baseline", v.baseline);
      entry.set("current", v.current);
      entry.set("allowed", v.limit);
      violations.push_back(std::move(entry));
    }
    item.set("bits", name_of(row.bits));
    item.set("first_op", row.first_op.empty() ? base::JsonValue::make_null()
                                              : base::JsonValue::make_string(row.first_op));
    base::JsonValue moved = base::JsonValue::make_null();
    if (row.moved) {
      moved = base::JsonValue::make_object();
      moved.set("tensor", row.moved->tensor);
      moved.set("node", row.moved->node);
      moved.set("op", row.moved->op);
      moved.set("phase", row.moved->phase);
      base::JsonValue inputs = base::JsonValue::make_array();
      for (const std::string& input : row.moved->inputs_moved)
        inputs.push_back(base::JsonValue::make_string(input));
      moved.set("inputs_moved", std::move(inputs));
      moved.set("plan_before", row.moved->plan_before);
      moved.set("plan_after", row.moved->plan_after);
    }
    item.set("first_moved_tensor", std::move(moved));
    item.set("violations", std::move(violations));
    rows.push_back(std::move(item));
  }
  object.set("runs", std::move(rows));
  return object;
}

}  // namespace npusim::sim
