// SPDX-License-Identifier: Apache-2.0
#include "sim/task_metrics.h"

#include "workloads/detmath.h"
#include "workloads/training/loss.h"

namespace npusim::sim {

std::size_t Scores::best() const {
  std::size_t found = 0;
  for (std::size_t c = 1; c < classes; ++c)
    if (values[c * stride] > values[found * stride]) found = c;
  return found;
}

double Scores::cross_entropy(std::size_t label) const {
  const double largest = values[best() * stride];
  double sum = 0.0;
  for (std::size_t c = 0; c < classes; ++c) sum += workloads::det_exp(values[c * stride] - largest);
  return workloads::det_log(sum) + largest - values[label * stride];
}

Scores scores_of(const workloads::Tensor& logits, std::size_t i) {
  const auto classes = static_cast<std::size_t>(logits.shape[1]);
  const std::size_t inner =
      logits.values.size() / static_cast<std::size_t>(logits.shape[0]) / classes;
  return {logits.values.data() + i / inner * classes * inner + i % inner, classes, inner};
}

std::optional<TaskTensors> task_of(const workloads::Workload& workload) {
  if (!workload.training || !workloads::takes_classes(workload.training->loss)) return std::nullopt;
  return TaskTensors{workload.training->logits, workload.training->labels};
}

TaskMetrics task_metrics(const workloads::Tensor& emulated, const workloads::Tensor& reference,
                         const std::vector<double>& labels) {
  TaskMetrics result;
  const std::size_t count = emulated.values.size() / static_cast<std::size_t>(emulated.shape[1]);
  const bool labelled = labels.size() == count;
  double loss = 0.0, reference_loss = 0.0;
  std::size_t same = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Scores y = scores_of(emulated, i), exact = scores_of(reference, i);
    same += y.best() == exact.best() ? 1 : 0;
    if (!labelled) continue;
    const auto label = static_cast<std::size_t>(labels[i]);
    loss += y.cross_entropy(label);
    reference_loss += exact.cross_entropy(label);
  }
  const auto all = static_cast<double>(count);
  result.predictions = static_cast<std::int64_t>(count);
  result.agreement = count > 0 ? static_cast<double>(same) / all : 0.0;
  if (labelled && count > 0) {
    result.loss = loss / all;
    result.reference_loss = reference_loss / all;
  }
  return result;
}

}  // namespace npusim::sim
