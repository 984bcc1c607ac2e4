// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/sweep_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/report/report.h"
#include "sim/sweep/design_space.h"
#include "sim/sweep/front.h"
#include "sim/version.h"
#include "sim/writers/text_table.h"

namespace npusim::sim {
namespace {

using base::JsonValue;

constexpr int kSweepSchemaVersion = 1;
constexpr std::size_t kMostRows = 40;
constexpr std::size_t kReasonsShown = 5;
const char* const kHypotheticalOps = "hypothetical_ops";
/// Of points off the front: a page with all of 100,000 would not open.
constexpr std::size_t kMostOnPage = 5000;

void add_path(std::vector<std::string>& paths, const std::string& path) {
  if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
}

/// Every path that some point sets, in the order of the file.
std::vector<std::string> paths_of(const Sweep& sweep) {
  std::vector<std::string> paths;
  for (const Axis& axis : sweep.axes)
    for (const std::string& path : axis.paths) add_path(paths, path);
  for (const Assignment& point : sweep.points)
    for (const Setting& setting : point) add_path(paths, setting.path);
  return paths;
}

std::string shown(const JsonValue& value) {
  return value.is_string() ? value.string() : base::dump_json(value, -1);
}

std::string setting_cell(const Assignment& assignment, const std::string& path) {
  for (const Setting& setting : assignment)
    if (setting.path == path) return shown(setting.value);
  return {};
}

/// Exact, so that CSV and JSON read back to the same numbers.
JsonValue metric_value(std::size_t metric, const std::optional<double>& value) {
  if (!value) return JsonValue::make_null();
  return sweep_metrics()[metric].integral
             ? JsonValue::make_integer(static_cast<std::int64_t>(*value))
             : JsonValue::make_real(*value);
}

std::optional<double> metric_at(const PointOutcome& outcome, std::size_t metric) {
  return metric < outcome.metrics.size() ? outcome.metrics[metric] : std::nullopt;
}

std::string metric_cell(const PointOutcome& outcome, std::size_t metric) {
  const std::optional<double> value = metric_at(outcome, metric);
  if (!value) return "-";
  return sweep_metrics()[metric].integral ? fmt::format("{:.0f}", *value)
                                          : fmt::format("{:.5g}", *value);
}

void add_metric(std::vector<std::size_t>& metrics, std::size_t metric) {
  if (std::find(metrics.begin(), metrics.end(), metric) == metrics.end()) metrics.push_back(metric);
}

/// Objectives, then what is constrained and no objective; with what_if how much is hypothetical.
std::vector<std::size_t> metrics_shown(const Sweep& sweep) {
  std::vector<std::size_t> metrics = sweep.objectives;
  for (const Constraint& constraint : sweep.constraints) add_metric(metrics, constraint.metric);
  if (sweep.what_if) add_metric(metrics, *find_metric(kHypotheticalOps));
  return metrics;
}

/// Every metric; without what_if nothing is hypothetical.
std::vector<std::size_t> metrics_written(const Sweep& sweep) {
  std::vector<std::size_t> metrics;
  for (std::size_t m = 0; m < sweep_metrics().size(); ++m)
    if (sweep.what_if || m != *find_metric(kHypotheticalOps)) metrics.push_back(m);
  return metrics;
}

/// The points of the front, best first objective first.
std::vector<const StoredPoint*> sorted_front(const SweepResult& result) {
  std::vector<const StoredPoint*> front;
  for (std::size_t i = 0; i < result.points.size(); ++i)
    if (result.front[i]) front.push_back(&result.points[i]);
  std::stable_sort(front.begin(), front.end(), [&](const StoredPoint* x, const StoredPoint* y) {
    return *objectives_of(result.sweep, x->outcome) < *objectives_of(result.sweep, y->outcome);
  });
  return front;
}

TextTable front_table(const SweepResult& result) {
  TextTable table;
  const std::vector<std::string> paths = paths_of(result.sweep);
  const std::vector<std::size_t> metrics = metrics_shown(result.sweep);
  for (const std::string& path : paths) table.column(path, true);
  for (const std::size_t metric : metrics) table.column(sweep_metrics()[metric].name, true);
  table.column("config hash");
  const std::vector<const StoredPoint*> front = sorted_front(result);
  for (std::size_t i = 0; i < std::min(kMostRows, front.size()); ++i) {
    std::vector<std::string> cells;
    for (const std::string& path : paths) cells.push_back(setting_cell(front[i]->assignment, path));
    for (const std::size_t metric : metrics)
      cells.push_back(metric_cell(front[i]->outcome, metric));
    cells.push_back(front[i]->outcome.config_hash);
    table.row(std::move(cells));
  }
  return table;
}

std::string beyond(const SweepResult& result) {
  const auto front =
      static_cast<std::size_t>(std::count(result.front.begin(), result.front.end(), true));
  return front > kMostRows
             ? fmt::format("... and {} more on the front (--csv has all)\n", front - kMostRows)
             : "";
}

JsonValue point_json(const SweepResult& result, std::size_t i) {
  const StoredPoint& point = result.points[i];
  JsonValue object = JsonValue::make_object();
  object.set("config_hash", point.outcome.config_hash);
  object.set("assignment", json_of(point.assignment));
  object.set("status", name_of(point.outcome.status));
  object.set("reason", point.outcome.reason);
  JsonValue metrics = JsonValue::make_object();
  for (const std::size_t m : metrics_written(result.sweep))
    metrics.set(sweep_metrics()[m].name, metric_value(m, metric_at(point.outcome, m)));
  object.set("metrics", std::move(metrics));
  object.set("feasible", is_feasible(result.sweep, point.outcome));
  object.set("pareto", static_cast<bool>(result.front[i]));
  return object;
}

/// `keep`: which points the document has.
JsonValue document(const SweepResult& result, const std::vector<bool>& keep) {
  JsonValue tool = JsonValue::make_object();
  tool.set("name", "npusim");
  tool.set("version", version());
  tool.set("git", git_id());
  JsonValue objectives = JsonValue::make_array();
  for (const std::size_t metric : result.sweep.objectives) {
    JsonValue item = JsonValue::make_object();
    item.set("metric", sweep_metrics()[metric].name);
    item.set("better", sweep_metrics()[metric].less_is_better ? "less" : "more");
    objectives.push_back(std::move(item));
  }
  JsonValue paths = JsonValue::make_array();
  for (const std::string& path : paths_of(result.sweep))
    paths.push_back(JsonValue::make_string(path));
  JsonValue points = JsonValue::make_array();
  for (std::size_t i = 0; i < result.points.size(); ++i)
    if (keep[i]) points.push_back(point_json(result, i));
  JsonValue object = JsonValue::make_object();
  object.set("schema_version", kSweepSchemaVersion);
  object.set("tool", std::move(tool));
  object.set("sweep", result.sweep.resolved);
  object.set("objectives", std::move(objectives));
  object.set("paths", std::move(paths));
  object.set("total_points", static_cast<std::int64_t>(result.points.size()));
  object.set("points", std::move(points));
  return object;
}

}  // namespace

namespace {

SweepResult with_front(Sweep sweep, std::vector<StoredPoint> points) {
  SweepResult result;
  result.sweep = std::move(sweep);
  result.points = std::move(points);
  result.front = front_of(result.sweep, result.points);
  return result;
}

}  // namespace

SweepResult result_of(Sweep sweep, const SweepStore& store) {
  const SpaceMembers members(sweep);
  std::vector<StoredPoint> points;
  store.for_each([&](StoredPoint&& point) {
    if (members.has(point.assignment)) points.push_back(std::move(point));
  });
  return with_front(std::move(sweep), std::move(points));
}

SweepResult result_of(Sweep sweep, const SweepStore& store,
                      const std::unordered_set<std::string>& hashes) {
  std::vector<StoredPoint> points;
  store.for_each([&](StoredPoint&& point) {
    if (hashes.count(point.outcome.config_hash) > 0) points.push_back(std::move(point));
  });
  return with_front(std::move(sweep), std::move(points));
}

std::string summary_of(const SweepResult& result) {
  std::map<PointStatus, std::int64_t> counts;
  std::map<std::string, std::int64_t> reasons;
  std::int64_t feasible = 0, hypothetical = 0;
  for (const StoredPoint& point : result.points) {
    hypothetical += metric_at(point.outcome, *find_metric(kHypotheticalOps)).value_or(0.0) > 0.0;
    ++counts[point.outcome.status];
    feasible += is_feasible(result.sweep, point.outcome) ? 1 : 0;
    if (point.outcome.status != PointStatus::ok)
      ++reasons[std::string(name_of(point.outcome.status)) + ": " + point.outcome.reason];
  }
  std::string text = fmt::format("{} points:", result.points.size());
  for (const auto& [status, count] : counts) text += fmt::format(" {} {},", count, name_of(status));
  text += fmt::format(" {} within the constraints, {} on the Pareto front\n", feasible,
                      std::count(result.front.begin(), result.front.end(), true));
  if (hypothetical > 0)
    text += fmt::format("{} points are hypothetical: formats that their NPU does not declare\n",
                        hypothetical);
  std::vector<std::pair<std::int64_t, std::string>> most;
  for (const auto& [reason, count] : reasons) most.emplace_back(-count, reason);
  std::sort(most.begin(), most.end());
  for (std::size_t i = 0; i < std::min(kReasonsShown, most.size()); ++i)
    text += fmt::format("  {} x {}\n", -most[i].first, most[i].second);
  if (most.size() > kReasonsShown)
    text += fmt::format("  and {} other reasons\n", most.size() - kReasonsShown);
  return text;
}

std::string table_of(const SweepResult& result) {
  const TextTable table = front_table(result);
  return (table.rows() > 0 ? table.aligned() + beyond(result) + "\n" : "") + summary_of(result);
}

std::string markdown_of(const SweepResult& result) {
  const TextTable table = front_table(result);
  return (table.rows() > 0 ? table.markdown() + "\n" + beyond(result) : "") + summary_of(result);
}

std::string csv_of(const SweepResult& result) {
  TextTable table;
  const std::vector<std::string> paths = paths_of(result.sweep);
  table.column("config_hash");
  for (const std::string& path : paths) table.column(path);
  for (const char* name : {"status", "reason"}) table.column(name);
  const std::vector<std::size_t> metrics = metrics_written(result.sweep);
  for (const std::size_t m : metrics) table.column(sweep_metrics()[m].name);
  for (const char* name : {"feasible", "pareto"}) table.column(name);
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const auto& [assignment, outcome] = result.points[i];
    std::vector<std::string> cells = {outcome.config_hash};
    for (const std::string& path : paths) cells.push_back(setting_cell(assignment, path));
    cells.emplace_back(name_of(outcome.status));
    cells.push_back(outcome.reason);
    for (const std::size_t m : metrics) {
      const JsonValue value = metric_value(m, metric_at(outcome, m));
      cells.push_back(value.is_number() ? base::dump_json(value, -1) : "");
    }
    cells.emplace_back(is_feasible(result.sweep, outcome) ? "yes" : "no");
    cells.emplace_back(result.front[i] ? "yes" : "no");
    table.row(std::move(cells));
  }
  return table.csv();
}

JsonValue json_of(const SweepResult& result) {
  return document(result, std::vector<bool>(result.points.size(), true));
}

std::string html_of(const SweepResult& result) {
  std::vector<bool> keep = result.front;
  const auto others = static_cast<std::size_t>(std::count(keep.begin(), keep.end(), false));
  const std::size_t step = std::max<std::size_t>(1, (others + kMostOnPage - 1) / kMostOnPage);
  // Hashes scatter: every n-th by hash is an even choice, and the same one each time.
  for (std::size_t i = 0; i < keep.size(); i += step) keep[i] = true;
  return html_of(document(result, keep));
}

int exit_code_of(const SweepResult& result) {
  const auto all = [&](auto&& matches) {
    return std::all_of(result.points.begin(), result.points.end(),
                       [&](const StoredPoint& point) { return matches(point.outcome.status); });
  };
  const bool ran = all([](PointStatus status) {
    return status == PointStatus::ok || status == PointStatus::unsupported ||
           status == PointStatus::invalid;
  });
  if (!ran) return 4;
  const bool useless = all([](PointStatus status) { return status == PointStatus::invalid; });
  return useless && !result.points.empty() ? 3 : 0;
}

}  // namespace npusim::sim
