// SPDX-License-Identifier: Apache-2.0
// Which recipe to train with on an NPU, found by training: FP32 and scenario 1 first (low-precision
// compute, FP32 master weights). Where FP32 does not learn, nothing is recommended; where scenario
// 1 needs more memory than there is, scenario 4 and computing activations again are tried; where it
// falls behind FP32, the questions of the NPU scenarios' decision flow in their order, each
// answered by a measurement, and the recipe that the answer names tried in turn. NPUs that take
// BF16 are led through the BF16 scenarios, those with FP16 only through their FP16 counterparts.
#pragma once

#include <string>
#include <vector>

#include "sim/training/train_all.h"

namespace npusim::sim {

struct AdviceLimits {
  double accuracy_points = 0.5;  ///< that a recipe may lose against FP32
  double loss_share = 0.02;      ///< of FP32's loss likewise, which must fall by more
  double drift = 0.01;           ///< of running statistics, relative Frobenius norm
  double underflow = 0.01;       ///< of non-zero gradients
  double accumulation = 0.5;     ///< of the gradients' error, that FP32 accumulation takes away
  double memory = 0.5;           ///< of the NPU's memory that a step needs, and
  double activations = 0.5;      ///< of this, from which training is bound by activation memory
};

struct AdviceQuestion {
  std::string question;
  std::string seen;  ///< the measurement that answers it
  bool yes = false;
  std::string tried;  ///< recipe; "" none
};

struct Advice {
  TrainResult experiment;  ///< every run, in the order tried
  std::vector<AdviceQuestion> questions;
  std::string recommended;  ///< recipe; "" when none was as good as FP32
  std::string setting;      ///< that goes with it, as --set takes it; "" none
  std::string reason;
};

/// `request` without recipes; its statistics_every must not be 0.
Advice advise(const TrainRequest& request, const AdviceLimits& limits = {});

base::JsonValue json_of(const Advice& advice);
std::string text_of(const Advice& advice);
std::string markdown_of(const Advice& advice);

}  // namespace npusim::sim
