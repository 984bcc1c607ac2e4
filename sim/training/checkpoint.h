// SPDX-License-Identifier: Apache-2.0
// A training run between two steps, as one .safetensors file that appears whole or not at all.
// Values are kept in FP64, so that what is read back is what was written, bit for bit.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/training/train_options.h"
#include "workloads/tensor.h"
#include "workloads/training/loss_scaler.h"

namespace npusim::sim {

struct CheckpointState {
  std::int64_t step = 0, updates = 0, skipped_steps = 0;
  workloads::LossScaler::State scaler;
  /// What decides values, as (what it is, its value or a hash of it); of two runs that are one all
  /// are equal.
  std::vector<std::pair<std::string, std::string>> identity;
  std::map<std::string, std::pair<workloads::Shape, std::vector<double>>> tensors;
  std::vector<StepRecord> steps;
  std::vector<Evaluation> evaluations;  ///< without predictions
  std::vector<GradientStatistics> gradients;
  std::vector<UpdateStatistics> update_statistics;
  FirstNonfinite first_nonfinite;
};

/// Throws base::InputError when the disk is full; the file of before stays then.
void write_checkpoint(const std::string& path, const CheckpointState& state);
/// Throws base::InputError, saying what differs, unless the identity is that of `expected`.
CheckpointState read_checkpoint(const std::string& path, const CheckpointState& expected);
/// Statistics of gradients and updates and the first NaN or infinity that the checkpoint's run saw.
void restore_statistics(const std::string& path, TrainRun& run);

}  // namespace npusim::sim
