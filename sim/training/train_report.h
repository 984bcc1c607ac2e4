// SPDX-License-Identifier: Apache-2.0
// A training result as text, Markdown and JSON.
#pragma once

#include <string>

#include "base/json_value.h"
#include "sim/training/train_options.h"

namespace npusim::sim {

base::JsonValue json_of(const TrainResult& result);
/// One row a recipe: accuracy and loss against FP32, time and memory of a step, and beneath what
/// was seen of gradients and updates. A run that did not come to its end has "-" where it would be
/// compared.
std::string table_of(const TrainResult& result);
std::string markdown_of(const TrainResult& result);
/// With columns for what stands beneath the table.
std::string csv_of(const TrainResult& result);

/// The last evaluation of a run that came to its end; nullptr: there is none.
const Evaluation* outcome(const TrainRun& run);
/// Of the outcomes of two runs: share of equal predictions; absent without both.
std::optional<double> agreement(const TrainRun& run, const TrainRun& reference);
/// Likewise: exp of one mean loss less exp of the other.
std::optional<double> perplexity_difference(const TrainRun& run, const TrainRun& reference);

/// What speed-ups are against: the step of FP32 on the NPU where it was timed, else the slowest
/// run; nullptr: no step was timed.
const TrainRun* speed_base(const TrainResult& result);
std::optional<double> speed_up(const TrainRun& run, const TrainResult& result);

}  // namespace npusim::sim
