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
  std::string identity;  ///< hash of workload, recipe and seed
  std::map<std::string, std::pair<workloads::Shape, std::vector<double>>> tensors;
  std::vector<StepRecord> steps;
  std::vector<Evaluation> evaluations;  ///< without predictions
};

/// Throws base::InputError when the disk is full; the file of before stays then.
void write_checkpoint(const std::string& path, const CheckpointState& state);
/// Throws base::InputError unless the identity is that of `expected`.
CheckpointState read_checkpoint(const std::string& path, const CheckpointState& expected);

}  // namespace npusim::sim
