// SPDX-License-Identifier: Apache-2.0
// The scale of the loss over the steps of a training run, as torch.amp.GradScaler keeps it (FP32
// scale, growth only while it stays finite, no cap and no floor unless stated), with the floors of
// TensorFlow and apex, apex's hysteresis, and a scale chosen from gradient statistics.
#pragma once

#include <cstdint>

namespace npusim::workloads {

struct LossScalingSpec {
  enum class Kind {
    none,
    constant,    ///< initial, always
    statistics,  ///< initial for `interval` steps, then the largest power of two that keeps the
                 ///< largest gradient seen below limit / margin
    dynamic,
  };
  Kind kind = Kind::none;
  double initial = 65536.0;
  double growth = 2.0;
  double backoff = 0.5;
  std::int64_t interval = 2000;  ///< finite steps in a row before growth
  double floor = 0.0;
  double cap = 0.0;             ///< 0: none
  std::int64_t hysteresis = 1;  ///< overflows tolerated in a row of steps before the scale drops
  double limit = 65504.0;       ///< statistics: largest value that gradients may take
  double margin = 2.0;
};
const char* name_of(LossScalingSpec::Kind kind);

class LossScaler {
 public:
  explicit LossScaler(const LossScalingSpec& spec);

  /// What may change from step to step, for checkpoints.
  struct State {
    float scale = 1.0f;
    std::int64_t good_steps = 0;
    std::int64_t tolerance_left = 1;
    double largest = 0.0;  ///< gradient seen, unscaled
  };
  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

  float scale() const { return state_.scale; }
  /// float(1 / double(scale)): infinite for scales below 2^-127.
  float inverse() const;
  /// True when the gradients of this step have to be looked at before the update.
  bool checks() const { return spec_.kind == LossScalingSpec::Kind::dynamic; }
  /// At the end of a step: whether all its gradients were finite (a step with others is skipped)
  /// and, for statistics, the largest of them, still scaled.
  void update(bool finite, double largest_scaled = 0.0);

 private:
  void lower();
  void grow();

  LossScalingSpec spec_;
  State state_;
};

}  // namespace npusim::workloads
