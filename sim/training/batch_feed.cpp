// SPDX-License-Identifier: Apache-2.0
#include "sim/training/batch_feed.h"

#include "base/error.h"
#include "workloads/training/loss.h"
#include "workloads/training/transform.h"

namespace npusim::sim {

using workloads::Graph;
using workloads::TensorId;
using workloads::TensorRole;

DataTensors data_tensors(const workloads::Workload& workload, const Graph& graph,
                         std::int64_t index) {
  const std::string suffix = workloads::micro_batch_suffix(index);
  DataTensors found;
  for (const TensorId id : workload.graph.inputs) {
    const workloads::TensorInfo& info = workload.graph.tensor(id);
    if (info.role == TensorRole::input && found.input == workloads::kNoTensor)
      found.input = graph.find(info.name + suffix);
  }
  found.label = graph.find(workload.training->labels + suffix);
  if (found.input == workloads::kNoTensor)
    throw base::InputError("workload " + workload.name + " has no input for samples",
                           "not-trainable");
  return found;
}

std::vector<DataTensors> step_tensors(const workloads::Workload& workload, const Graph& graph) {
  std::vector<DataTensors> all;
  for (std::int64_t i = 0; i < workload.training->batches_in_graph(); ++i)
    all.push_back(data_tensors(workload, graph, i));
  return all;
}

workloads::SampleShape sample_shape(const workloads::Workload& workload) {
  const bool boxed = workloads::takes_boxes(workload.training->loss);
  if (!boxed && !workloads::takes_classes(workload.training->loss))
    throw base::InputError("training on data takes classes as labels, or classes with boxes; " +
                               workload.name + " has " + workload.training->loss,
                           "not-trainable");
  const DataTensors tensors = data_tensors(workload, workload.graph);
  const auto of = [&](TensorId id) {
    workloads::Shape shape = workload.graph.tensor(id).shape;
    if (shape.empty() || shape[0] % workload.batch != 0)
      throw base::InputError("the first dimension of " + workload.graph.tensor(id).name +
                                 " does not count the samples of the batch",
                             "not-trainable");
    shape[0] /= workload.batch;
    if (shape[0] == 1) shape.erase(shape.begin());
    return shape;
  };
  workloads::SampleShape sample;
  sample.input = of(tensors.input);
  sample.label = of(tensors.label);
  const TensorId logits = workload.graph.find(workload.training->logits);
  const workloads::Shape& scores = workload.graph.tensor(logits).shape;
  sample.classes = scores.size() > 1 ? scores[1] : 0;
  sample.boxed = boxed;
  if (boxed) sample.classes -= workloads::kBoxNumbers;
  return sample;
}

Batch read_batch(const workloads::Dataset& data, const workloads::SampleShape& sample,
                 const std::vector<std::int64_t>& order, std::int64_t first, std::int64_t batch,
                 const precision::ParallelFor& parallel) {
  const std::int64_t inputs = workloads::element_count(sample.input);
  const std::int64_t labels = workloads::element_count(sample.label);
  Batch result;
  result.input.resize(static_cast<std::size_t>(batch * inputs));
  result.label.resize(static_cast<std::size_t>(batch * labels));
  parallel(batch, [&](std::int64_t i) {
    data.read(order[static_cast<std::size_t>(first + i)], result.input.data() + i * inputs,
              result.label.data() + i * labels);
  });
  return result;
}

}  // namespace npusim::sim
