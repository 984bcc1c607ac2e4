// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/json_value.h"
#include "sim/validation/validation.h"
#include "sim/writers/text_table.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/output.h"

namespace npusim::tools {
namespace {

std::string percent(double share) {
  return fmt::format("{:.1f} %", 100.0 * share);
}

std::string summary_of(const std::vector<sim::ValidationSet>& sets) {
  sim::TextTable table;
  table.column("published");
  table.column("is");
  table.column("simulated by");
  for (const char* header : {"points", "median error", "mean error", "largest", "rank corr."})
    table.column(header, true);
  table.column("promise");
  for (const sim::ValidationSet& set : sets) {
    const auto rank = set.spearman();
    table.row({set.name, set.origin, set.model, std::to_string(set.points.size()),
               percent(set.median_error()), percent(set.mean_error()), percent(set.largest_error()),
               rank ? fmt::format("{:.3f}", *rank) : "-",
               set.limits.empty() ? "none"
               : set.holds()      ? "holds"
                                  : "BROKEN"});
  }
  return table.aligned();
}

std::string details_of(const sim::ValidationSet& set, bool rows) {
  std::string text = fmt::format("\n{}\n  {}; {}\n", set.name, set.source,
                                 set.note.empty() ? "nothing fitted" : set.note);
  for (const sim::ValidationLimit& limit : set.limits)
    text += fmt::format("  {}: {:.4g}, {} {:.4g}{}\n", limit.what, limit.value,
                        limit.at_least ? "at least" : "at most", limit.limit,
                        limit.holds() ? "" : "  BROKEN");
  if (!rows) return text;
  sim::TextTable table;
  table.column("point");
  table.column("published [" + set.unit + "]", true);
  table.column("simulated", true);
  table.column("error", true);
  for (const sim::ValidationPoint& point : set.points)
    table.row({point.name, fmt::format("{:.6g}", point.published),
               fmt::format("{:.6g}", point.simulated),
               fmt::format("{:+.1f} %", 100.0 * point.error())});
  return text + table.aligned();
}

base::JsonValue json_of(const sim::ValidationSet& set) {
  base::JsonValue object = base::JsonValue::make_object();
  for (const auto& [key, text] : {std::pair{"name", set.name},
                                  {"origin", set.origin},
                                  {"source", set.source},
                                  {"model", set.model},
                                  {"note", set.note},
                                  {"unit", set.unit}})
    object.set(key, base::JsonValue::make_string(text));
  object.set("median_error", base::JsonValue::make_real(set.median_error()));
  object.set("mean_error", base::JsonValue::make_real(set.mean_error()));
  object.set("largest_error", base::JsonValue::make_real(set.largest_error()));
  const auto rank = set.spearman();
  object.set("spearman", rank ? base::JsonValue::make_real(*rank) : base::JsonValue::make_null());
  base::JsonValue limits = base::JsonValue::make_array();
  for (const sim::ValidationLimit& limit : set.limits) {
    base::JsonValue entry = base::JsonValue::make_object();
    entry.set("what", base::JsonValue::make_string(limit.what));
    entry.set("value", base::JsonValue::make_real(limit.value));
    entry.set(limit.at_least ? "at_least" : "at_most", base::JsonValue::make_real(limit.limit));
    entry.set("holds", base::JsonValue::make_bool(limit.holds()));
    limits.push_back(std::move(entry));
  }
  object.set("limits", std::move(limits));
  base::JsonValue points = base::JsonValue::make_array();
  for (const sim::ValidationPoint& point : set.points) {
    base::JsonValue entry = base::JsonValue::make_object();
    entry.set("name", base::JsonValue::make_string(point.name));
    entry.set("published", base::JsonValue::make_real(point.published));
    entry.set("simulated", base::JsonValue::make_real(point.simulated));
    entry.set("error", base::JsonValue::make_real(point.error()));
    points.push_back(std::move(entry));
  }
  object.set("points", std::move(points));
  return object;
}

}  // namespace

int validate_timing(const ValidateTimingArguments& arguments) {
  const OutputFiles& files = arguments.common.files;
  check_destinations({files.json});
  sim::ValidationOptions options;
  options.jobs = arguments.common.jobs;
  options.references = arguments.references;
  if (!arguments.npu.empty()) options.reference_npu = arguments.npu;
  const std::vector<sim::ValidationSet> sets = sim::validate_timing(options);
  bool holds = true;
  std::string text = summary_of(sets);
  base::JsonValue list = base::JsonValue::make_array();
  for (const sim::ValidationSet& set : sets) {
    holds = holds && set.holds();
    text += details_of(set, arguments.common.verbose);
    list.push_back(json_of(set));
  }
  base::JsonValue document = base::JsonValue::make_object();
  document.set("schema_version", base::JsonValue::make_integer(1));
  document.set("sets", std::move(list));
  if (files.json != kStdout) print(text);
  if (!files.json.empty())
    write_to(files.json, base::dump_json(document) + "\n", arguments.common.quiet);
  return holds ? kOk : kCheckFailed;
}

}  // namespace npusim::tools
