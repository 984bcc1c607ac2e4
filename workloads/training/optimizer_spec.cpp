// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/optimizer_spec.h"

#include <algorithm>
#include <cmath>

#include "workloads/detmath.h"

namespace npusim::workloads {

const char* name_of(OptimizerSpec::Kind kind) {
  switch (kind) {
    case OptimizerSpec::Kind::sgd:
      return "sgd";
    case OptimizerSpec::Kind::adam:
      return "adam";
    case OptimizerSpec::Kind::adamw:
      return "adamw";
    case OptimizerSpec::Kind::adagrad:
      return "adagrad";
    case OptimizerSpec::Kind::rmsprop:
      return "rmsprop";
    case OptimizerSpec::Kind::lion:
      return "lion";
    case OptimizerSpec::Kind::lamb:
      return "lamb";
  }
  return "";
}

const char* name_of(ScheduleSpec::Kind kind) {
  switch (kind) {
    case ScheduleSpec::Kind::constant:
      return "constant";
    case ScheduleSpec::Kind::step:
      return "step";
    case ScheduleSpec::Kind::exponential:
      return "exponential";
    case ScheduleSpec::Kind::cosine:
      return "cosine";
    case ScheduleSpec::Kind::linear:
      return "linear";
    case ScheduleSpec::Kind::inverse_sqrt:
      return "inverse_sqrt";
  }
  return "";
}

double schedule_factor(const ScheduleSpec& schedule, std::int64_t update) {
  if (update < schedule.warmup_steps)
    return static_cast<double>(update + 1) / static_cast<double>(schedule.warmup_steps);
  const std::int64_t after = update - schedule.warmup_steps;
  const double share =
      std::min(1.0, static_cast<double>(after) / static_cast<double>(schedule.period));
  switch (schedule.kind) {
    case ScheduleSpec::Kind::constant:
      return 1.0;
    case ScheduleSpec::Kind::step:
      return det_pow(schedule.factor, static_cast<double>(after / schedule.period));
    case ScheduleSpec::Kind::exponential:
      return det_pow(schedule.factor, static_cast<double>(after));
    case ScheduleSpec::Kind::cosine:
      return schedule.factor + (1.0 - schedule.factor) * 0.5 * (1.0 + det_sincospi(share).cos);
    case ScheduleSpec::Kind::linear:
      return 1.0 + (schedule.factor - 1.0) * share;
    case ScheduleSpec::Kind::inverse_sqrt:
      return std::sqrt(static_cast<double>(std::max<std::int64_t>(1, schedule.warmup_steps)) /
                       static_cast<double>(std::max<std::int64_t>(
                           1, after + std::max<std::int64_t>(1, schedule.warmup_steps))));
  }
  return 1.0;
}

}  // namespace npusim::workloads
