// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/point.h"

#include <algorithm>

#include "base/error.h"
#include "sim/catalog.h"

namespace npusim::sim {
namespace {

using base::JsonValue;

std::string text_at(const JsonValue& object, const char* key) {
  const JsonValue* value = object.find(key);
  NPUSIM_CHECK(value != nullptr && value->is_string(), std::string("no text at ") + key);
  return value->string();
}

JsonValue parsed(const std::string& text) {
  JsonValue value = base::parse_json(text, "a message of a worker");
  NPUSIM_CHECK(value.is_object(), "a message of a worker is no object");
  return value;
}

}  // namespace

PointRequest request_of(const Sweep& sweep, const Assignment& assignment) {
  PointRequest point;
  point.request = sweep.request;
  point.overrides = sweep.overrides;
  for (const Setting& setting : assignment) {
    const auto file = [&] {
      return find_file_beside(setting.path, setting.value.string(), sweep.folder);
    };
    if (setting.path == "npu")
      point.request.npu_file = file();
    else if (setting.path == "workload")
      point.request.workload_file = file();
    else if (setting.path == "recipe")
      point.request.recipe_file = file();
    else
      point.overrides.push_back(setting.path + "=" + base::dump_json(setting.value, -1));
  }
  return point;
}

const std::vector<std::string>& point_status_names() {
  static const std::vector<std::string> names = {
      "ok", "unsupported", "invalid", "failed", "crashed", "timeout", "out_of_memory", "not_run"};
  return names;
}

const char* name_of(PointStatus status) {
  return point_status_names()[static_cast<std::size_t>(status)].c_str();
}

bool is_finished(PointStatus status) {
  return status != PointStatus::crashed && status != PointStatus::timeout &&
         status != PointStatus::out_of_memory && status != PointStatus::not_run;
}

std::string to_text(const PointRequest& point) {
  JsonValue object = JsonValue::make_object();
  object.set("npu", point.request.npu_file);
  object.set("workload", point.request.workload_file);
  object.set("recipe", point.request.recipe_file);
  object.set("mode", name_of(point.request.mode));
  JsonValue overrides = JsonValue::make_array();
  for (const std::string& text : point.overrides) overrides.push_back(JsonValue::make_string(text));
  object.set("overrides", std::move(overrides));
  return base::dump_json(object, -1);
}

PointRequest request_of_text(const std::string& text) {
  const JsonValue object = parsed(text);
  PointRequest point;
  point.request.npu_file = text_at(object, "npu");
  point.request.workload_file = text_at(object, "workload");
  point.request.recipe_file = text_at(object, "recipe");
  point.request.mode =
      text_at(object, "mode") == name_of(Mode::training) ? Mode::training : Mode::inference;
  for (const JsonValue& item : object.find("overrides")->items())
    point.overrides.push_back(item.string());
  return point;
}

std::string to_text(const PointOutcome& outcome) {
  JsonValue object = JsonValue::make_object();
  object.set("status", name_of(outcome.status));
  object.set("reason", outcome.reason);
  object.set("config_hash", outcome.config_hash);
  JsonValue metrics = JsonValue::make_array();
  for (const std::optional<double>& value : outcome.metrics)
    metrics.push_back(value ? JsonValue::make_real(*value) : JsonValue::make_null());
  object.set("metrics", std::move(metrics));
  object.set("numeric_key", outcome.numeric_key);
  object.set("reused_numerics", outcome.reused_numerics);
  return base::dump_json(object, -1);
}

PointOutcome outcome_of_text(const std::string& text) {
  const JsonValue object = parsed(text);
  PointOutcome outcome;
  const std::vector<std::string>& names = point_status_names();
  const auto status = std::find(names.begin(), names.end(), text_at(object, "status"));
  NPUSIM_CHECK(status != names.end(), "unknown status of a point");
  outcome.status = static_cast<PointStatus>(status - names.begin());
  outcome.reason = text_at(object, "reason");
  outcome.config_hash = text_at(object, "config_hash");
  for (const JsonValue& value : object.find("metrics")->items())
    outcome.metrics.push_back(value.is_number() ? std::optional<double>(value.number())
                                                : std::nullopt);
  outcome.numeric_key = text_at(object, "numeric_key");
  outcome.reused_numerics = object.find("reused_numerics")->boolean();
  return outcome;
}

JsonValue json_of(const Assignment& assignment) {
  JsonValue object = JsonValue::make_object();
  for (const Setting& setting : assignment) object.set(setting.path, setting.value);
  return object;
}

Assignment assignment_of(const JsonValue& object) {
  Assignment assignment;
  for (const auto& [path, value] : object.members()) assignment.push_back({path, value});
  return assignment;
}

}  // namespace npusim::sim
