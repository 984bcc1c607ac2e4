// SPDX-License-Identifier: Apache-2.0
// Which points a sweep runs, in which order: all of its space, or those that the outcomes so far
// ask for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "sim/sweep/design_space.h"
#include "sim/sweep/point.h"

namespace npusim::sim {

class PointSource {
 public:
  explicit PointSource(const Sweep& sweep) : space_(sweep) {}
  virtual ~PointSource() = default;
  PointSource(const PointSource&) = delete;
  PointSource& operator=(const PointSource&) = delete;

  /// The next point, or nothing now: later, when others are done, or never when exhausted().
  virtual std::optional<std::int64_t> next() = 0;
  virtual bool exhausted() const = 0;
  /// How many there are at most.
  std::int64_t size() const { return space_.size(); }
  Assignment assignment(std::int64_t index) const { return space_.at(index); }

  virtual void done(std::int64_t index, const PointOutcome& outcome) = 0;
  virtual void skip(std::int64_t index) = 0;  ///< is another shard's

 protected:
  const DesignSpace& space() const { return space_; }

 private:
  DesignSpace space_;
};

std::unique_ptr<PointSource> make_source(const Sweep& sweep);

}  // namespace npusim::sim
