// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/design_space.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "precision/counter_random.h"
#include "sim/sweep/point.h"
#include "workloads/detmath.h"

namespace npusim::sim {
namespace {

/// In [0, 1), by place: the point, the axis, and what for.
double uniform(std::uint64_t seed, std::size_t axis, std::int64_t index) {
  const std::uint64_t word =
      precision::mixed(precision::mixed(precision::mixed(seed + 0x9e3779b97f4a7c15U) ^ axis) ^
                       (static_cast<std::uint64_t>(index) + 0x9e3779b97f4a7c15U));
  return static_cast<double>(word >> 11) * 0x1p-53;
}

/// A permutation of 0 ... count - 1 that depends on seed and axis (Fisher and Yates).
std::vector<std::uint32_t> permutation(std::uint64_t seed, std::size_t axis, std::int64_t count) {
  std::vector<std::uint32_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0U);
  for (std::int64_t i = count - 1; i > 0; --i) {
    const double u = uniform(precision::mixed(seed ^ 0x5bd1e995U), axis, i);
    const auto other = static_cast<std::size_t>(u * static_cast<double>(i + 1));
    std::swap(order[static_cast<std::size_t>(i)], order[other]);
  }
  return order;
}

base::JsonValue number_of(const Axis& axis, double value) {
  return axis.integer ? base::JsonValue::make_integer(std::llround(value))
                      : base::JsonValue::make_real(value);
}

/// The point of a range at u in [0, 1]; both ends exactly.
double in_range(const Axis& axis, double u) {
  if (u <= 0.0) return axis.from;
  if (u >= 1.0) return axis.to;
  const double value =
      axis.logarithmic ? axis.from * workloads::det_exp(u * workloads::det_log(axis.to / axis.from))
                       : axis.from + u * (axis.to - axis.from);
  return std::clamp(value, std::min(axis.from, axis.to), std::max(axis.from, axis.to));
}

std::int64_t grid_size(const std::vector<Axis>& axes) {
  std::int64_t size = 1;
  for (const Axis& axis : axes) size *= static_cast<std::int64_t>(axis.values.size());
  return size;
}

void assign(const Axis& axis, const base::JsonValue& value, Assignment& assignment) {
  for (const std::string& path : axis.paths) assignment.push_back({path, value});
}

}  // namespace

base::JsonValue value_at(const Axis& axis, double u) {
  if (axis.values.empty()) {
    if (!axis.integer) return number_of(axis, in_range(axis, u));
    // Every whole number of the range gets a share of its own, the ends included.
    const double low = std::min(axis.from, axis.to), high = std::max(axis.from, axis.to);
    if (axis.logarithmic) return number_of(axis, in_range(axis, u));
    return base::JsonValue::make_integer(
        std::llround(std::min(high, low + std::floor(u * (high - low + 1.0)))));
  }
  const auto count = static_cast<double>(axis.values.size());
  return axis.values[std::min(axis.values.size() - 1, static_cast<std::size_t>(u * count))];
}

std::vector<base::JsonValue> cut_range(const Axis& axis, std::int64_t count) {
  std::vector<base::JsonValue> values;
  for (std::int64_t i = 0; i < count; ++i) {
    const double u = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0.0;
    base::JsonValue value = number_of(axis, in_range(axis, u));
    const bool repeated = !values.empty() && values.back().number() == value.number();
    if (!repeated) values.push_back(std::move(value));
  }
  return values;
}

DesignSpace::DesignSpace(const Sweep& sweep) : sweep_(&sweep) {
  switch (sweep.search) {
    case Search::grid:
      size_ = grid_size(sweep.axes);
      break;
    case Search::list:
      size_ = static_cast<std::int64_t>(sweep.points.size());
      break;
    case Search::random:
      size_ = sweep.samples;
      break;
    case Search::latin_hypercube:
      size_ = sweep.samples;
      for (std::size_t axis = 0; axis < sweep.axes.size(); ++axis)
        strata_.push_back(permutation(sweep.sample_seed, axis, size_));
      break;
  }
}

std::vector<std::int64_t> DesignSpace::coordinates_of(std::int64_t index) const {
  std::vector<std::int64_t> coordinates(sweep_->axes.size());
  for (std::size_t axis = coordinates.size(); axis-- > 0;) {
    const auto count = static_cast<std::int64_t>(sweep_->axes[axis].values.size());
    coordinates[axis] = index % count;
    index /= count;
  }
  return coordinates;
}

std::int64_t DesignSpace::index_of(const std::vector<std::int64_t>& coordinates) const {
  std::int64_t index = 0;
  for (std::size_t axis = 0; axis < coordinates.size(); ++axis)
    index = index * static_cast<std::int64_t>(sweep_->axes[axis].values.size()) + coordinates[axis];
  return index;
}

Assignment DesignSpace::at(std::int64_t index) const {
  NPUSIM_CHECK(index >= 0 && index < size_, "no such point");
  if (sweep_->search == Search::list) return sweep_->points[static_cast<std::size_t>(index)];
  Assignment assignment;
  std::vector<std::int64_t> coordinates;
  if (sweep_->search == Search::grid) coordinates = coordinates_of(index);
  for (std::size_t i = 0; i < sweep_->axes.size(); ++i) {
    const Axis& axis = sweep_->axes[i];
    if (sweep_->search == Search::grid) {
      assign(axis, axis.values[static_cast<std::size_t>(coordinates[i])], assignment);
      continue;
    }
    double u = uniform(sweep_->sample_seed, i, index);
    if (sweep_->search == Search::latin_hypercube)
      u = (static_cast<double>(strata_[i][static_cast<std::size_t>(index)]) + u) /
          static_cast<double>(size_);
    assign(axis, value_at(axis, u), assignment);
  }
  return assignment;
}

SpaceMembers::SpaceMembers(const Sweep& sweep) : grid_(sweep.search == Search::grid) {
  if (grid_) {
    for (const Axis& axis : sweep.axes) {
      paths_.push_back(axis.paths);
      values_.emplace_back();
      for (const base::JsonValue& value : axis.values)
        values_.back().insert(base::dump_json(value, -1));
    }
    return;
  }
  const DesignSpace space(sweep);
  for (std::int64_t i = 0; i < space.size(); ++i)
    points_.insert(base::dump_json(json_of(space.at(i)), -1));
}

bool SpaceMembers::has(const Assignment& assignment) const {
  if (!grid_) return points_.count(base::dump_json(json_of(assignment), -1)) > 0;
  std::size_t at = 0;
  for (std::size_t axis = 0; axis < paths_.size(); ++axis) {
    std::string value;
    for (const std::string& path : paths_[axis]) {
      if (at == assignment.size() || assignment[at].path != path) return false;
      std::string own = base::dump_json(assignment[at++].value, -1);
      if (values_[axis].count(own) == 0 || (!value.empty() && own != value)) return false;
      value = std::move(own);
    }
  }
  return at == assignment.size();
}

}  // namespace npusim::sim
