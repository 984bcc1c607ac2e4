// SPDX-License-Identifier: Apache-2.0
// What errors of scores mean for the task: do they name the same classes, and what does their loss
// become. Scores are (samples, classes, ...), labels (samples, ...).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "workloads/tensor.h"
#include "workloads/workload.h"

namespace npusim::sim {

/// Scores of one sample (and position): classes values `stride` apart.
struct Scores {
  const double* values;
  std::size_t classes, stride;

  /// The first of the largest.
  std::size_t best() const;
  /// -log softmax at a class, in FP64 (detmath.h).
  double cross_entropy(std::size_t label) const;
};
/// Those of label `i` (row-major).
Scores scores_of(const workloads::Tensor& logits, std::size_t i);

/// Tensors of a graph by name.
struct TaskTensors {
  std::string logits, labels;
};
/// Of workloads whose labels are classes.
std::optional<TaskTensors> task_of(const workloads::Workload& workload);

struct TaskMetrics {
  std::int64_t predictions = 0;
  double agreement = 0.0;  ///< share of them that both agree on
  /// Means of the cross entropy; absent where the graph gives no labels.
  std::optional<double> loss, reference_loss;
};
/// Of emulated scores against those of a reference; no labels: an empty vector.
TaskMetrics task_metrics(const workloads::Tensor& emulated, const workloads::Tensor& reference,
                         const std::vector<double>& labels);

}  // namespace npusim::sim
