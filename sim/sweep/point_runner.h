// SPDX-License-Identifier: Apache-2.0
// What takes design points and gives outcomes back, in any order: worker processes of this machine,
// or those of several.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/sweep/point.h"

namespace npusim::sim {

struct FinishedPoint {
  std::uint64_t ticket = 0;
  PointOutcome outcome;
};

class PointRunner {
 public:
  PointRunner() = default;
  virtual ~PointRunner() = default;
  PointRunner(const PointRunner&) = delete;
  PointRunner& operator=(const PointRunner&) = delete;

  virtual bool has_room() const = 0;
  /// Only while has_room(). `request`: a PointRequest as text.
  virtual void start(std::uint64_t ticket, const std::string& request) = 0;
  virtual std::size_t running() const = 0;
  /// Returns when something has finished, a signal came or so many milliseconds have passed.
  virtual std::vector<FinishedPoint> wait(int milliseconds) = 0;
};

}  // namespace npusim::sim
