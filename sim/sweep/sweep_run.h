// SPDX-License-Identifier: Apache-2.0
// Runs the points of a sweep that its store does not have yet. The rows of the store do not depend
// on the number of workers or the order in which points finish.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>

#include "sim/sweep/point_runner.h"
#include "sim/sweep/store.h"
#include "sim/sweep/sweep_spec.h"

namespace npusim::sim {

/// Points whose config hash modulo `count` is `index`: equal configs are always of one shard.
struct Shard {
  std::uint64_t index = 0, count = 1;
};

struct SweepRunOptions {
  Shard shard;
  bool quiet = false;                 ///< no progress
  std::function<bool()> interrupted;  ///< polled; may be empty
  /// Called with each point of this call once its row is safe; may be empty.
  std::function<void(const std::string& config_hash, PointStatus status)> stored;
};

struct SweepCounts {
  std::int64_t ran = 0;     ///< in this call
  std::int64_t reused = 0;  ///< had an outcome in the store
  bool interrupted = false;
  /// Config hashes of the sweep's points, those of other shards too: all of them, or those that
  /// were reached before the interrupt.
  std::unordered_set<std::string> hashes;
};

/// Throws base::InputError when the store cannot be written or the config files change meanwhile;
/// what was stored before is kept.
SweepCounts run_points(const Sweep& sweep, const SweepRunOptions& options, SweepStore& store,
                       PointRunner& runner);

}  // namespace npusim::sim
