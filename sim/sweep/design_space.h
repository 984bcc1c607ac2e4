// SPDX-License-Identifier: Apache-2.0
// The points of a sweep by number, made when they are asked for, so that a space of millions takes
// no memory. Which points they are depends on the sweep file alone.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "sim/sweep/sweep_spec.h"

namespace npusim::sim {

inline constexpr std::int64_t kMostPoints = 100'000'000;

class DesignSpace {
 public:
  explicit DesignSpace(const Sweep& sweep);

  std::int64_t size() const { return size_; }
  Assignment at(std::int64_t index) const;

  /// Of a grid: the last axis is fastest.
  std::vector<std::int64_t> coordinates_of(std::int64_t index) const;
  std::int64_t index_of(const std::vector<std::int64_t>& coordinates) const;

 private:
  const Sweep* sweep_;
  std::int64_t size_ = 0;
  /// latin_hypercube: which of `samples` equal cuts of an axis a point lies in.
  std::vector<std::vector<std::uint32_t>> strata_;
};

/// Which assignments are points of a sweep, without the files that it names.
class SpaceMembers {
 public:
  explicit SpaceMembers(const Sweep& sweep);
  bool has(const Assignment& assignment) const;

 private:
  bool grid_ = false;
  std::vector<std::vector<std::string>> paths_;          ///< grid: of each axis
  std::vector<std::unordered_set<std::string>> values_;  ///< grid: of each axis, as text
  std::unordered_set<std::string> points_;               ///< else: all, as text
};

/// The value of an axis at u in [0, 1): listed ones in equal shares, ranges evenly, or evenly in
/// the logarithm.
base::JsonValue value_at(const Axis& axis, double u);

/// `count` values from one end of a range to the other.
std::vector<base::JsonValue> cut_range(const Axis& axis, std::int64_t count);

}  // namespace npusim::sim
