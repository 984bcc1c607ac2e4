// SPDX-License-Identifier: Apache-2.0
// Loss, accuracy and overlap of boxes of a network on a test set: the forward pass in the machine's
// arithmetic, the metrics in FP64 from its logits.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "sim/task_metrics.h"
#include "sim/training/step_executor.h"
#include "sim/training/train_options.h"
#include "workloads/datasets/dataset.h"
#include "workloads/workload.h"

namespace npusim::sim {

/// Boxes of four numbers each (centre x, y, width, height): area they share over the area of both;
/// a negative width or height is an empty box.
double intersection_over_union(const double* a, const double* b);

class Evaluator {
 public:
  Evaluator(const workloads::Workload& workload, const npu::MappedGraph& forward,
            const precision::Format& internal, const workloads::Dataset& test, std::uint64_t seed,
            const precision::ParallelFor& parallel, const std::function<bool()>& interrupted = {});
  /// Values of each weight and statistic by name; all of the test set. Throws Interrupted
  /// (calibration.h) before the next batch or node when `interrupted` says so.
  Evaluation run(const std::function<const std::vector<double>*(const std::string&)>& values);

 private:
  void add_batch(const workloads::Tensor& logits, const std::vector<double>& labels,
                 Evaluation& sums) const;
  static void add_class(const Scores& scores, double true_class, Evaluation& sums);
  static void add_boxes(const workloads::Tensor& logits, const std::vector<double>& labels,
                        Evaluation& sums);

  const workloads::Workload& workload_;
  const workloads::Dataset& test_;
  const precision::ParallelFor& parallel_;
  std::function<bool()> interrupted_;
  StepExecutor executor_;
  workloads::TensorId logits_;
};

}  // namespace npusim::sim
