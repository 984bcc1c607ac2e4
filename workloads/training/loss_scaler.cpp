// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/loss_scaler.h"

#include <algorithm>
#include <cmath>

namespace npusim::workloads {

const char* name_of(LossScalingSpec::Kind kind) {
  switch (kind) {
    case LossScalingSpec::Kind::none:
      return "none";
    case LossScalingSpec::Kind::constant:
      return "constant";
    case LossScalingSpec::Kind::statistics:
      return "statistics";
    case LossScalingSpec::Kind::dynamic:
      return "dynamic";
  }
  return "";
}

LossScaler::LossScaler(const LossScalingSpec& spec) : spec_(spec) {
  state_.scale = spec.kind == LossScalingSpec::Kind::none ? 1.0f : static_cast<float>(spec.initial);
  state_.tolerance_left = spec.hysteresis;
}

float LossScaler::inverse() const {
  return static_cast<float>(1.0 / static_cast<double>(state_.scale));
}

void LossScaler::update(bool finite, double largest_scaled) {
  if (spec_.kind == LossScalingSpec::Kind::statistics) {
    if (std::isfinite(largest_scaled))
      state_.largest = std::max(state_.largest, largest_scaled / static_cast<double>(state_.scale));
    if (++state_.good_steps == spec_.interval && state_.largest > 0.0) {
      int exponent = 0;
      std::frexp(spec_.limit / spec_.margin / state_.largest, &exponent);
      state_.scale = static_cast<float>(std::ldexp(1.0, exponent - 1));
    }
    return;
  }
  if (spec_.kind != LossScalingSpec::Kind::dynamic) return;
  if (!finite) return lower();
  state_.tolerance_left = spec_.hysteresis;
  if (++state_.good_steps == spec_.interval) grow();
}

void LossScaler::lower() {
  state_.good_steps = 0;
  if (--state_.tolerance_left > 0) return;
  const auto next = static_cast<float>(static_cast<double>(state_.scale) * spec_.backoff);
  state_.scale = std::max(next, static_cast<float>(spec_.floor));
}

void LossScaler::grow() {
  state_.good_steps = 0;
  auto next = static_cast<float>(static_cast<double>(state_.scale) * spec_.growth);
  if (spec_.cap > 0.0) next = std::min(next, static_cast<float>(spec_.cap));
  if (std::isfinite(next)) state_.scale = next;
}

}  // namespace npusim::workloads
