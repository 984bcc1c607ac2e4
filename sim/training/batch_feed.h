// SPDX-License-Identifier: Apache-2.0
// Samples of a dataset as the input and label tensors of one batch.
#pragma once

#include <vector>

#include "precision/gemm.h"
#include "workloads/datasets/dataset.h"
#include "workloads/workload.h"

namespace npusim::sim {

/// The tensor that samples go into (the first input that is no label) and the labels of the loss.
struct DataTensors {
  workloads::TensorId input = workloads::kNoTensor, label = workloads::kNoTensor;
};
/// By name, in any graph made from the workload: of the micro-batch `index`. Throws
/// base::InputError when there is no input.
DataTensors data_tensors(const workloads::Workload& workload, const workloads::Graph& graph,
                         std::int64_t index = 0);
/// Of all micro-batches of a step.
std::vector<DataTensors> step_tensors(const workloads::Workload& workload,
                                      const workloads::Graph& graph);
workloads::SampleShape sample_shape(const workloads::Workload& workload);

struct Batch {
  std::vector<double> input, label;
};
/// Samples order[first ...], as many as the batch holds.
Batch read_batch(const workloads::Dataset& data, const workloads::SampleShape& sample,
                 const std::vector<std::int64_t>& order, std::int64_t first, std::int64_t batch,
                 const precision::ParallelFor& parallel);

}  // namespace npusim::sim
