// SPDX-License-Identifier: Apache-2.0
// Runs design points one after the other, each in a forked child, so that a crash, a hang or a
// point that eats all memory is an outcome. Files that points share are read once and their graphs
// made once. The process must have a single thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "sim/sweep/point.h"

namespace npusim::sim {

/// What all points of a sweep have in common beside their configs.
struct PointSetup {
  std::uint64_t seed = 0;
  bool timing = true, numerics = false, what_if = false;
  PointLimits limits;
  /// Points whose mappings give numerics the same to do share its outcome.
  bool reuse_numerics = true;
};
PointSetup setup_of(const Sweep& sweep);
std::string to_text(const PointSetup& setup);
PointSetup setup_of_text(const std::string& text);

class PointEvaluator {
 public:
  explicit PointEvaluator(const PointSetup& setup);
  ~PointEvaluator();
  PointEvaluator(const PointEvaluator&) = delete;
  PointEvaluator& operator=(const PointEvaluator&) = delete;

  /// `prepared` is called when what points share is there and the point itself starts: what comes
  /// before is not limited by limits.seconds.
  PointOutcome evaluate(const PointRequest& point, const std::function<void()>& prepared = {});

 private:
  class Files;
  using NumericMetrics = std::map<std::string, MetricValues>;  ///< by PointOutcome::numeric_key
  PointOutcome run_isolated(const PointRequest& point, const std::function<void()>& prepared);

  PointSetup setup_;
  NumericMetrics numerics_;
  std::unique_ptr<Files> files_;
};

}  // namespace npusim::sim
