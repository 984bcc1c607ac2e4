// SPDX-License-Identifier: Apache-2.0
// A training result as text, Markdown and JSON.
#pragma once

#include <string>

#include "base/json_value.h"
#include "sim/training/train_options.h"

namespace npusim::sim {

base::JsonValue json_of(const TrainResult& result);
/// Accuracy and loss against FP32, speed and memory against the slowest run: one row a recipe.
std::string table_of(const TrainResult& result);
std::string markdown_of(const TrainResult& result);
std::string csv_of(const TrainResult& result);

/// Of the last evaluations of two runs: share of equal predictions; absent without both.
std::optional<double> agreement(const TrainRun& run, const TrainRun& reference);

}  // namespace npusim::sim
