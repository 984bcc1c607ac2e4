// SPDX-License-Identifier: Apache-2.0
// Where a sweep keeps its outcomes: an SQLite file with one row an outcome, in the order in which
// they came, never changed again. The last row of a config hash counts. One process writes; what it
// has committed survives its death.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/sweep/point.h"

namespace npusim::sim {

struct StoredPoint {
  Assignment assignment;
  PointOutcome outcome;
};

/// What the outcomes of a store have in common. Outcomes of another identity do not belong there.
struct StoreHeader {
  std::string sweep;  ///< the resolved sweep file, as JSON text
  /// As JSON text: program version, seed, which parts are computed, and the design, workload,
  /// recipe, mode and overrides that the points start from.
  std::string identity;
};
StoreHeader header_of(const Sweep& sweep);

class SweepStore {
 public:
  /// A new file. Throws base::InputError when there is one, or it cannot be written.
  static SweepStore create(const std::string& path, const StoreHeader& header);
  /// To read only, once the half-done change of a writer that died is taken back. Throws
  /// base::InputError when it is missing, no store, of another version or in use.
  static SweepStore read(const std::string& path);
  /// To go on with. A store that is missing, or whose writer died before the first commit, is made;
  /// a database that is no store stays as it is.
  static SweepStore open(const std::string& path, const StoreHeader& header);
  ~SweepStore();
  SweepStore(SweepStore&&) noexcept;
  SweepStore& operator=(SweepStore&&) = delete;

  const StoreHeader& header() const;
  /// The sweep's text when its file was changed: outcomes are of configs and stay what they are.
  void set_sweep(const std::string& sweep);

  /// Part of the next commit. Throws base::InputError when the disk is full or fails; what was
  /// committed before is safe.
  void append(const StoredPoint& point);
  void commit();

  /// The row that counts of every config hash, by config hash.
  void for_each(const std::function<void(StoredPoint&&)>& body) const;
  std::vector<StoredPoint> points() const;

 private:
  struct State;
  explicit SweepStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace npusim::sim
