// SPDX-License-Identifier: Apache-2.0
// One design point: what is asked of a worker, and what it answers. Both travel as JSON text.
#pragma once

#include <string>
#include <vector>

#include "sim/sweep/metrics.h"
#include "sim/sweep/sweep_spec.h"

namespace npusim::sim {

/// Files and overrides of one run: what `npusim run` would be given.
struct PointRequest {
  RunRequest request;
  std::vector<std::string> overrides;
};
PointRequest request_of(const Sweep& sweep, const Assignment& assignment);

enum class PointStatus {
  ok,
  unsupported,  ///< the NPU cannot run it
  invalid,      ///< the configs are refused
  failed,       ///< an error while it ran
  crashed,      ///< its process died
  timeout,
  out_of_memory,
  not_run,  ///< no process could be started for it, or a file could not be read
};
const std::vector<std::string>& point_status_names();
const char* name_of(PointStatus status);

/// False for what another try may do better: a crash, a timeout, too little memory, a machine that
/// had no room for a process or could not read a file.
bool is_finished(PointStatus status);

struct PointOutcome {
  PointStatus status = PointStatus::ok;
  std::string reason;  ///< unless ok
  std::string config_hash;
  MetricValues metrics;  ///< empty unless ok
  /// What the numeric part depends on; "": it was not computed. Not stored.
  std::string numeric_key;
  bool reused_numerics = false;  ///< of an earlier point with the same key; not stored
};

std::string to_text(const PointRequest& request);
PointRequest request_of_text(const std::string& text);
std::string to_text(const PointOutcome& outcome);
PointOutcome outcome_of_text(const std::string& text);

base::JsonValue json_of(const Assignment& assignment);
Assignment assignment_of(const base::JsonValue& object);

}  // namespace npusim::sim
