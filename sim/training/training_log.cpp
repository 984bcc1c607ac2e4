// SPDX-License-Identifier: Apache-2.0
#include "sim/training/training_log.h"

#include <cmath>

#include "base/json_value.h"

namespace npusim::sim {

using base::JsonValue;

std::string log_line(const TrainRun& run, const StepRecord& record) {
  JsonValue line = JsonValue::make_object();
  line.set("recipe", run.recipe);
  if (!run.hypothetical.empty()) line.set("hypothetical", true);
  line.set("step", record.step);
  line.set("loss", record.loss);
  line.set("learning_rate", record.learning_rate);
  line.set("loss_scale", record.scale);
  line.set("skipped", record.skipped);
  return base::dump_json(line, -1);
}

std::string log_line(const TrainRun& run, const Evaluation& evaluation) {
  JsonValue line = JsonValue::make_object();
  line.set("recipe", run.recipe);
  if (!run.hypothetical.empty()) line.set("hypothetical", true);
  line.set("step", evaluation.step);
  line.set("test_loss", evaluation.loss);
  line.set("test_accuracy", evaluation.accuracy);
  return base::dump_json(line, -1);
}

std::string scaling_verdict(const std::vector<StepRecord>& steps, float last_scale) {
  std::int64_t skipped = 0, tail = 0, tail_skipped = 0;
  const auto search = static_cast<std::int64_t>(steps.size()) / 10;
  for (const StepRecord& record : steps) {
    skipped += record.skipped ? 1 : 0;
    if (record.step < search) continue;
    ++tail;
    tail_skipped += record.skipped ? 1 : 0;
  }
  const std::string figures =
      std::to_string(skipped) + " of " + std::to_string(steps.size()) +
      " steps skipped, last scale " +
      base::dump_json(JsonValue::make_real(static_cast<double>(last_scale)));
  if (last_scale == 0.0f || !std::isfinite(1.0f / last_scale))
    return "collapsed: no scale avoids the overflow (" + figures + ")";
  if (!steps.empty() && steps.back().skipped && tail_skipped * 2 > tail)
    return "still falling: every second step or more is skipped (" + figures + ")";
  if (tail_skipped * 20 > tail)
    return "too many skipped steps after the scale was found (" + figures + ")";
  return "ok (" + figures + ")";
}

}  // namespace npusim::sim
