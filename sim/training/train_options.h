// SPDX-License-Identifier: Apache-2.0
// What a training run is asked for and what it found.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "npu_models/memory_footprint.h"
#include "sim/cluster_timing.h"
#include "sim/hypothetical.h"
#include "sim/training/gradient_statistics.h"

namespace npusim::sim {

struct TrainOptions {
  std::string data;  ///< source, as workloads/datasets/dataset.h takes it
  std::int64_t epochs = 1;
  std::int64_t max_steps = 0;  ///< 0: as the epochs say
  std::int64_t train_samples = 10000;
  std::int64_t test_samples = 2000;   ///< both are cut to whole batches
  std::int64_t statistics_every = 0;  ///< steps between looks at the gradients; 0: never
  std::uint64_t seed = 0;
  std::string checkpoint;  ///< file to write at the end of each epoch; may be empty
  std::string resume;      ///< checkpoint to go on from; may be empty
  std::function<void(const std::string& json_line)> log;
  std::function<void(double share, const std::string& detail)> progress;
  std::function<bool()> interrupted;
};

struct StepRecord {
  std::int64_t step = 0;
  double loss = 0.0;  ///< unscaled
  double scale = 1.0;
  double learning_rate = 0.0;
  bool skipped = false;
};

struct Evaluation {
  std::int64_t step = 0;  ///< updates tried so far
  double loss = 0.0;      ///< mean over the test set, in FP64 from the logits
  double accuracy = 0.0;  ///< share of classes with the largest logit
  /// Of detectors: mean intersection over union of the boxes found with the true ones.
  std::optional<double> mean_iou = {};
  std::int64_t labels = 0;
  std::vector<std::int32_t> predictions = {};  ///< of each label, for agreement between runs
};

struct FirstNonfinite {
  std::int64_t step = -1;  ///< -1: none
  std::string op, tensor;
};

enum class TrainStatus { ok, diverged, unsupported, failed, interrupted };
const char* name_of(TrainStatus status);

struct TrainRun {
  std::string recipe;
  TrainStatus status = TrainStatus::ok;
  std::string error;
  std::vector<StepRecord> steps;
  std::vector<Evaluation> evaluations;  ///< before training and after each epoch
  std::vector<GradientStatistics> gradients;
  std::vector<UpdateStatistics> updates;
  FirstNonfinite first_nonfinite;
  std::map<std::string, std::vector<double>> statistics;  ///< running ones, at the end
  std::int64_t skipped_steps = 0;
  std::string scaling_verdict;  ///< "" without loss scaling
  /// Of one step on the NPU; absent for the reference machine.
  std::optional<double> step_seconds;
  std::optional<ClusterTiming> cluster;  ///< of a step on all devices; step_seconds is its
  std::optional<npu::MemoryFootprint> memory;
  HypotheticalOps hypothetical;    ///< of the step and of the forward pass, with --what-if
  std::uint64_t weights_hash = 0;  ///< over the bits of the stored weights at the end
  double host_seconds = 0.0;
};

struct TrainResult {
  std::string npu, workload, data;
  std::uint64_t seed = 0;
  std::int64_t batch = 0;
  bool sequences = false;  ///< labels are tokens in a row
  TrainRun reference;      ///< FP32 everywhere, products as FP32 chains in canonical order
  /// A step of FP32 on the NPU, timed and not trained, for speed-ups. Without a recipe's name: not
  /// asked for; without a time: `error` says why.
  TrainRun fp32_step;
  std::vector<TrainRun> runs;
  std::vector<std::string> warnings;  ///< what was given has no effect; with its place
};

}  // namespace npusim::sim
