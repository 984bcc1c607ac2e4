// SPDX-License-Identifier: Apache-2.0
#include "sim/training/evaluate.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "sim/calibration.h"
#include "sim/training/batch_feed.h"
#include "workloads/training/loss.h"

namespace npusim::sim {

Evaluator::Evaluator(const workloads::Workload& workload, const npu::MappedGraph& forward,
                     const precision::Format& internal, const workloads::Dataset& test,
                     std::uint64_t seed, const precision::ParallelFor& parallel,
                     const std::function<bool()>& interrupted)
    : workload_(workload),
      test_(test),
      parallel_(parallel),
      interrupted_(interrupted),
      executor_(forward, internal, seed, parallel, interrupted),
      logits_(forward.graph.find(workload.training->logits)) {
  executor_.load_initial_values();
}

Evaluation Evaluator::run(
    const std::function<const std::vector<double>*(const std::string&)>& values) {
  const workloads::Graph& graph = executor_.graph();
  for (std::size_t i = 0; i < graph.tensors.size(); ++i)
    if (const std::vector<double>* value = values(graph.tensors[i].name))
      executor_.load(static_cast<workloads::TensorId>(i), *value);
  const DataTensors data = data_tensors(workload_, graph);
  const workloads::SampleShape sample = sample_shape(workload_);
  const std::int64_t batches = (test_.size() + workload_.batch - 1) / workload_.batch;
  std::vector<std::int64_t> order(static_cast<std::size_t>(batches * workload_.batch));
  for (std::size_t i = 0; i < order.size(); ++i)  // the last batch is filled with its last sample
    order[i] = std::min(static_cast<std::int64_t>(i), test_.size() - 1);
  Evaluation sums;
  for (std::int64_t first = 0; first < test_.size(); first += workload_.batch) {
    if (interrupted_ && interrupted_()) throw Interrupted{};
    Batch batch = read_batch(test_, sample, order, first, workload_.batch, parallel_);
    executor_.load(data.input, batch.input);
    executor_.run(0, {}, {});
    const std::int64_t samples = std::min(workload_.batch, test_.size() - first);
    batch.label.resize(static_cast<std::size_t>(samples * workloads::element_count(sample.label)));
    add_batch(executor_.value(logits_), batch.label, sums);
  }
  if (sums.labels > 0) {
    sums.loss /= static_cast<double>(sums.labels);
    sums.accuracy /= static_cast<double>(sums.labels);
    if (sums.mean_iou) *sums.mean_iou /= static_cast<double>(sums.labels);
  }
  return sums;
}

/// Logits (N, classes, ...), labels (N, ...); with boxes logits (N, classes + 4), labels (N, 5).
/// Logits may be more: of the samples that fill a batch.
void Evaluator::add_batch(const workloads::Tensor& logits, const std::vector<double>& labels,
                          Evaluation& sums) const {
  if (workloads::takes_boxes(workload_.training->loss)) return add_boxes(logits, labels, sums);
  for (std::size_t i = 0; i < labels.size(); ++i) add_class(scores_of(logits, i), labels[i], sums);
}

void Evaluator::add_class(const Scores& scores, double true_class, Evaluation& sums) {
  const auto label = static_cast<std::size_t>(true_class);
  const std::size_t best = scores.best();
  sums.loss += scores.cross_entropy(label);
  if (best == label) sums.accuracy += 1.0;
  sums.predictions.push_back(static_cast<std::int32_t>(best));
  ++sums.labels;
}

void Evaluator::add_boxes(const workloads::Tensor& logits, const std::vector<double>& labels,
                          Evaluation& sums) {
  constexpr auto kBox = static_cast<std::size_t>(workloads::kBoxNumbers);
  const auto columns = static_cast<std::size_t>(logits.shape[1]);
  const std::size_t classes = columns - kBox;
  if (!sums.mean_iou) sums.mean_iou = 0.0;
  for (std::size_t i = 0; i * (1 + kBox) < labels.size(); ++i) {
    const double* const row = logits.values.data() + i * columns;
    const double* const label = labels.data() + i * (1 + kBox);
    add_class({row, classes, 1}, label[0], sums);
    for (std::size_t n = 0; n < kBox; ++n) {
      const double distance = std::fabs(row[classes + n] - label[1 + n]) / workloads::kBoxUnit;
      sums.loss += distance < 1.0 ? 0.5 * distance * distance : distance - 0.5;
    }
    *sums.mean_iou += intersection_over_union(row + classes, label + 1);
  }
}

double intersection_over_union(const double* a, const double* b) {
  double shared = 1.0, area_a = 1.0, area_b = 1.0;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const double size_a = std::max(0.0, a[axis + 2]), size_b = std::max(0.0, b[axis + 2]);
    const double begin = std::max(a[axis] - 0.5 * size_a, b[axis] - 0.5 * size_b);
    const double end = std::min(a[axis] + 0.5 * size_a, b[axis] + 0.5 * size_b);
    shared *= std::max(0.0, end - begin);
    area_a *= size_a;
    area_b *= size_b;
  }
  const double both = area_a + area_b - shared;
  return both > 0.0 ? shared / both : 0.0;
}

}  // namespace npusim::sim
