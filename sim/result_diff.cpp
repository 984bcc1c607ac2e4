// SPDX-License-Identifier: Apache-2.0
#include "sim/result_diff.h"

#include <algorithm>
#include <map>

#include "sim/check.h"

namespace npusim::sim {
namespace {

using base::JsonValue;

std::string text_at(const JsonValue& run, const char* key) {
  const JsonValue* value = run.find(key);
  return value != nullptr && value->is_string() ? value->string() : "-";
}

std::string label_of(const JsonValue& run) {
  return text_at(run, "npu") + " / " + text_at(run, "workload") + " / " + text_at(run, "mode") +
         " / " + text_at(run, "recipe");
}

bool is_hypothetical(const JsonValue& run) {
  return run.find("hypothetical") != nullptr;
}

std::map<std::string, const JsonValue*> keyed(const JsonValue& document,
                                              std::vector<std::string>& order) {
  std::map<std::string, const JsonValue*> runs;
  for (const JsonValue& run : document.find("runs")->items()) {
    const std::string key = label_of(run) + " / " + text_at(run, "scenario");
    std::string numbered = key;
    for (int n = 2; runs.count(numbered) != 0; ++n) numbered = key + " #" + std::to_string(n);
    runs.emplace(numbered, &run);
    order.push_back(numbered);
  }
  return runs;
}

std::vector<Change> changes_of(const JsonValue& before, const JsonValue& after) {
  std::vector<Change> changes;
  for (Violation& v : compare_to_baseline(before, after, {}))
    changes.push_back({std::move(v.pointer), std::move(v.baseline), std::move(v.current), v.ratio});
  return changes;
}

}  // namespace

bool ResultDifference::empty() const {
  return std::all_of(runs.begin(), runs.end(), [](const RunDifference& run) {
    return run.side == RunDifference::Side::both && run.changes.empty();
  });
}

ResultDifference difference_of(const JsonValue& before, const JsonValue& after) {
  std::vector<std::string> order, order_after;
  const auto runs_before = keyed(before, order);
  const auto runs_after = keyed(after, order_after);
  ResultDifference difference;
  for (const std::string& key : order) {
    const JsonValue& run = *runs_before.at(key);
    RunDifference found;
    found.run = label_of(run);
    found.hypothetical_before = is_hypothetical(run);
    const auto other = runs_after.find(key);
    if (other == runs_after.end()) {
      found.side = RunDifference::Side::only_before;
    } else {
      found.changes = changes_of(run, *other->second);
      found.bits = bits_moved(run, *other->second, &found.first_op);
      found.moved = first_moved_tensor(run, *other->second);
      found.hypothetical_after = is_hypothetical(*other->second);
    }
    difference.runs.push_back(std::move(found));
  }
  for (const std::string& key : order_after) {
    if (runs_before.count(key) != 0) continue;
    RunDifference found;
    found.run = label_of(*runs_after.at(key));
    found.side = RunDifference::Side::only_after;
    found.hypothetical_after = is_hypothetical(*runs_after.at(key));
    difference.runs.push_back(std::move(found));
  }
  return difference;
}

}  // namespace npusim::sim
