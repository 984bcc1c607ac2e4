// SPDX-License-Identifier: Apache-2.0
// A sweep file: a design, a workload and a recipe, which values of their configs to vary and how,
// what a point must keep to and what it is to be good at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json_value.h"
#include "sim/run.h"

namespace npusim::sim {

/// A config path as of --set ("npu.mac_array.rows"), or "npu", "workload" or "recipe" alone for the
/// file, with the value it takes.
struct Setting {
  std::string path;
  base::JsonValue value;
};
/// What one point sets, in the order of the axes.
using Assignment = std::vector<Setting>;

struct Axis {
  std::vector<std::string> paths;  ///< all take the same value
  /// Listed, or cut from the range by `count`; empty: any value of the range.
  std::vector<base::JsonValue> values;
  double from = 0.0, to = 0.0;
  bool logarithmic = false;
  bool integer = false;
};

enum class Search { grid, list, random, latin_hypercube };

struct Constraint {
  std::size_t metric = 0;  ///< index into sweep_metrics()
  std::optional<double> at_most, at_least;
};

/// What a point may take before it becomes a row that says so; 0: no limit.
struct PointLimits {
  double seconds = 0.0;
  double memory_gib = 0.0;  ///< address space of a worker
};

struct Sweep {
  std::string name, description;
  std::string folder;  ///< of the file: names in it are relative to this
  RunRequest request;
  std::vector<std::string> overrides;  ///< of every point, as of --set
  std::uint64_t seed = 0;
  bool timing = true, numerics = false;
  bool what_if = false;  ///< undeclared formats run hypothetically (npu_models/what_if.h)
  Search search = Search::grid;
  std::int64_t samples = 0;       ///< random, latin_hypercube
  std::uint64_t sample_seed = 0;  ///< of the choice of points
  /// grid: first only every n-th value of each ordered axis, then around the front (refinement.h);
  /// 0: every point.
  std::int64_t refine_stride = 0;
  std::vector<Axis> axes;
  std::vector<Assignment> points;  ///< list
  std::vector<Constraint> constraints;
  std::vector<std::size_t> objectives;  ///< indices into sweep_metrics()
  PointLimits limits;
  base::JsonValue resolved;
};

/// Every mistake of the file at once, and those of paths and values that no point could have.
Sweep load_sweep(const std::string& path);

/// As a store keeps it: what is needed to read results, not to run more. `source`: for messages.
Sweep sweep_of_text(const std::string& text, const std::string& source);

}  // namespace npusim::sim
