// SPDX-License-Identifier: Apache-2.0
// Lines of the log of a training run, one JSON object each, and what its loss scale did in words.
#pragma once

#include <string>
#include <vector>

#include "sim/training/train_options.h"

namespace npusim::sim {

/// `run`: whose recipe it is, and whether it is hypothetical.
std::string log_line(const TrainRun& run, const StepRecord& record);
std::string log_line(const TrainRun& run, const Evaluation& evaluation);

/// Skipped steps are normal while the scale is found and once each growth interval; a scale that
/// keeps falling, or reached 0, is not.
std::string scaling_verdict(const std::vector<StepRecord>& steps, float last_scale);

}  // namespace npusim::sim
