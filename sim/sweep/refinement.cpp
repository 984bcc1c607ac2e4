// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/refinement.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "sim/sweep/front.h"

namespace npusim::sim {
namespace {

using Coordinates = std::vector<std::int64_t>;

class Refinement : public PointSource {
 public:
  explicit Refinement(const Sweep& sweep)
      : PointSource(sweep), sweep_(&sweep), stride_(sweep.refine_stride) {
    for (const Axis& axis : sweep.axes) {
      counts_.push_back(static_cast<std::int64_t>(axis.values.size()));
      ordered_.push_back(std::all_of(axis.values.begin(), axis.values.end(),
                                     [](const base::JsonValue& v) { return v.is_number(); }));
    }
    take_grid();
  }

  std::optional<std::int64_t> next() override {
    while (queue_.empty() && outstanding_ == 0 && !finished_) advance();
    if (queue_.empty()) return {};
    const std::int64_t index = queue_.front();
    queue_.pop_front();
    ++outstanding_;
    return index;
  }

  bool exhausted() const override { return finished_ && queue_.empty() && outstanding_ == 0; }

  void done(std::int64_t index, const PointOutcome& outcome) override {
    --outstanding_;
    if (!is_feasible(*sweep_, outcome)) return;
    if (auto values = objectives_of(*sweep_, outcome)) feasible_.emplace(index, std::move(*values));
  }
  void skip(std::int64_t) override { --outstanding_; }

 private:
  /// All points whose coordinates are multiples of the stride, or the last of their axis.
  void take_grid() {
    Coordinates at(counts_.size(), 0);
    for (;;) {
      take(at);
      std::size_t axis = counts_.size();
      while (axis > 0 && at[axis - 1] == counts_[axis - 1] - 1) at[--axis] = 0;
      if (axis == 0) return;
      at[axis - 1] = std::min(counts_[axis - 1] - 1, at[axis - 1] + step(axis - 1));
    }
  }

  void take(const Coordinates& at) {
    const std::int64_t index = space().index_of(at);
    if (taken_.insert(index).second) queue_.push_back(index);
  }

  std::int64_t step(std::size_t axis) const { return ordered_[axis] ? stride_ : 1; }

  /// In the order of the points' numbers, whatever order they finished in.
  void take_neighbours_of_front() {
    std::vector<std::int64_t> indices;
    std::vector<Objectives> values;
    for (const auto& [index, objectives] : feasible_) {
      indices.push_back(index);
      values.push_back(objectives);
    }
    const std::vector<bool> front = pareto_front(values);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      if (!front[i]) continue;
      const Coordinates centre = space().coordinates_of(indices[i]);
      for (std::size_t axis = 0; axis < centre.size(); ++axis)
        for (const std::int64_t way : {-step(axis), step(axis)}) {
          Coordinates at = centre;
          at[axis] = std::clamp<std::int64_t>(at[axis] + way, 0, counts_[axis] - 1);
          take(at);
        }
    }
  }

  void advance() {
    if (feasible_.empty())
      take_grid();
    else
      take_neighbours_of_front();
    if (!queue_.empty()) return;
    finished_ = stride_ == 1;
    stride_ = std::max<std::int64_t>(1, stride_ / 2);
  }

  const Sweep* sweep_;
  std::int64_t stride_;
  Coordinates counts_;
  std::vector<bool> ordered_;  ///< per axis: of numbers
  std::deque<std::int64_t> queue_;
  std::set<std::int64_t> taken_;
  std::map<std::int64_t, Objectives> feasible_;
  std::int64_t outstanding_ = 0;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<PointSource> make_refinement(const Sweep& sweep) {
  return std::make_unique<Refinement>(sweep);
}

}  // namespace npusim::sim
