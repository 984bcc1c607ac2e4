// SPDX-License-Identifier: Apache-2.0
#include "sim/training/evaluate.h"

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "sim/training/batch_feed.h"
#include "workloads/detmath.h"
#include "workloads/initializer.h"

namespace npusim::sim {

Evaluator::Evaluator(const workloads::Workload& workload, const npu::MappedGraph& forward,
                     const precision::Format& internal, const workloads::Dataset& test,
                     std::uint64_t seed, const precision::ParallelFor& parallel)
    : workload_(workload),
      test_(test),
      parallel_(parallel),
      executor_(forward, internal, seed, parallel),
      logits_(forward.graph.find(workload.training->logits)) {
  const std::vector<int> writer = workloads::writers(forward.graph);
  for (std::size_t i = 0; i < forward.graph.tensors.size(); ++i) {
    const workloads::TensorInfo& info = forward.graph.tensors[i];
    if (writer[i] < 0 && info.initializer)
      executor_.load(static_cast<workloads::TensorId>(i),
                     workloads::make_values(*info.initializer, info.shape, info.type, info.name,
                                            seed, parallel)
                         .values);
  }
}

Evaluation Evaluator::run(
    const std::function<const std::vector<double>*(const std::string&)>& values) {
  const workloads::Graph& graph = executor_.graph();
  for (std::size_t i = 0; i < graph.tensors.size(); ++i)
    if (const std::vector<double>* value = values(graph.tensors[i].name))
      executor_.load(static_cast<workloads::TensorId>(i), *value);
  const DataTensors data = data_tensors(workload_, graph);
  const workloads::SampleShape sample = sample_shape(workload_);
  std::vector<std::int64_t> order(static_cast<std::size_t>(test_.size()));
  std::iota(order.begin(), order.end(), 0);
  Evaluation sums;
  for (std::int64_t first = 0; first + workload_.batch <= test_.size(); first += workload_.batch) {
    const Batch batch = read_batch(test_, sample, order, first, workload_.batch, parallel_);
    executor_.load(data.input, batch.input);
    executor_.run(0, {}, {});
    add_batch(executor_.value(logits_), batch.label, sums);
  }
  if (sums.labels > 0) {
    sums.loss /= static_cast<double>(sums.labels);
    sums.accuracy /= static_cast<double>(sums.labels);
  }
  return sums;
}

/// Logits (N, classes, ...), labels (N, ...).
void Evaluator::add_batch(const workloads::Tensor& logits, const std::vector<double>& labels,
                          Evaluation& sums) const {
  const auto classes = static_cast<std::size_t>(logits.shape[1]);
  const std::size_t inner =
      logits.values.size() / static_cast<std::size_t>(logits.shape[0]) / classes;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double* scores = logits.values.data() + i / inner * classes * inner + i % inner;
    std::size_t best = 0;
    for (std::size_t c = 1; c < classes; ++c)
      if (scores[c * inner] > scores[best * inner]) best = c;
    double sum = 0.0;
    for (std::size_t c = 0; c < classes; ++c)
      sum += workloads::det_exp(scores[c * inner] - scores[best * inner]);
    const auto label = static_cast<std::size_t>(labels[i]);
    sums.loss += workloads::det_log(sum) + scores[best * inner] - scores[label * inner];
    if (best == label) sums.accuracy += 1.0;
    sums.predictions.push_back(static_cast<std::int32_t>(best));
    ++sums.labels;
  }
}

}  // namespace npusim::sim
