// SPDX-License-Identifier: Apache-2.0
// Loss and accuracy of a network on a test set: the forward pass in the machine's arithmetic, the
// metric in FP64 from its logits.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "sim/training/step_executor.h"
#include "sim/training/train_options.h"
#include "workloads/datasets/dataset.h"
#include "workloads/workload.h"

namespace npusim::sim {

class Evaluator {
 public:
  Evaluator(const workloads::Workload& workload, const npu::MappedGraph& forward,
            const precision::Format& internal, const workloads::Dataset& test, std::uint64_t seed,
            const precision::ParallelFor& parallel);
  /// Values of each weight and statistic by name; whole batches of the test set.
  Evaluation run(const std::function<const std::vector<double>*(const std::string&)>& values);

 private:
  void add_batch(const workloads::Tensor& logits, const std::vector<double>& labels,
                 Evaluation& sums) const;

  const workloads::Workload& workload_;
  const workloads::Dataset& test_;
  const precision::ParallelFor& parallel_;
  StepExecutor executor_;
  workloads::TensorId logits_;
};

}  // namespace npusim::sim
