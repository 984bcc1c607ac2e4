// SPDX-License-Identifier: Apache-2.0
// What a sweep found: the Pareto front for people, every point for programs. Points are in the
// order of their config hashes, and nothing depends on who ran them when.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "base/json_value.h"
#include "sim/sweep/store.h"

namespace npusim::sim {

struct SweepResult {
  Sweep sweep;
  std::vector<StoredPoint> points;  ///< by config hash
  std::vector<bool> front;          ///< one a point
};
/// Of the sweep's points alone: a store may hold some that an earlier state of the sweep had. Here
/// those are told by what they set.
SweepResult result_of(Sweep sweep, const SweepStore& store);
/// The same by the config hashes of the sweep's points.
SweepResult result_of(Sweep sweep, const SweepStore& store,
                      const std::unordered_set<std::string>& hashes);

/// Points by status, feasible ones, the front; then the reasons of what did not run.
std::string summary_of(const SweepResult& result);
/// The front by its first objective: what each point sets, its objectives and what is constrained.
std::string table_of(const SweepResult& result);
std::string markdown_of(const SweepResult& result);
/// One row a point, a column a path and a metric.
std::string csv_of(const SweepResult& result);
base::JsonValue json_of(const SweepResult& result);
std::string html_of(const SweepResult& result);

/// 0; 4 when a point failed, crashed, took too long or too much memory; 3 when every one was
/// invalid.
int exit_code_of(const SweepResult& result);

}  // namespace npusim::sim
