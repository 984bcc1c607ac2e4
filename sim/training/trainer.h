// SPDX-License-Identifier: Apache-2.0
// Trains one workload under one recipe, step by step, on one machine's mapping of the training
// graph. Everything in a TrainRun but host_seconds is deterministic and independent of threads.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "npu_models/cluster/cluster_spec.h"
#include "npu_models/mapping.h"
#include "sim/training/train_options.h"
#include "workloads/datasets/dataset.h"
#include "workloads/recipe.h"
#include "workloads/training/loss_scaler.h"
#include "workloads/workload.h"

namespace npusim::sim {

/// A training step and a forward pass as one machine runs them.
struct TrainMappings {
  npu::MappedGraph step;
  npu::MappedGraph forward;
};
/// The step or the forward pass needs more memory than the NPU has: this.
class DoesNotFitError : public npu::UnsupportedError {
 public:
  DoesNotFitError(const std::string& message, npu::MemoryFootprint needed)
      : UnsupportedError(message), memory(std::move(needed)) {}
  npu::MemoryFootprint memory;
};
/// On an NPU, convolutions of the forward pass in the form (direct, by Winograd) that the step has.
/// Throws npu::UnsupportedError, DoesNotFitError among them.
TrainMappings map_training(const npu::NpuSpec& npu, const workloads::Workload& workload,
                           const workloads::Recipe& recipe);
/// A workload with the nodes of all devices of a cluster (cluster_graphs.h), whose steps are mapped
/// as that of one device. That it fits is a question to the graph of one device.
TrainMappings map_training(const npu::NpuSpec& npu, const npu::ClusterSpec& cluster,
                           const workloads::Workload& all_devices, const workloads::Recipe& recipe,
                           const npu::MappedGraph& one_device);
/// On a machine that does everything in the recipe's formats, products as FP32 chains.
TrainMappings map_training(const workloads::Workload& workload, const workloads::Recipe& recipe);

/// The training and test samples of a workload.
struct TrainData {
  std::unique_ptr<workloads::Dataset> train, test;
};
TrainData open_data(const workloads::Workload& workload, const TrainOptions& options);

/// `run` comes with its recipe's name (and time and memory) set.
void train(const workloads::Workload& workload, const workloads::Recipe& recipe,
           const TrainMappings& mappings, const TrainData& data, const TrainOptions& options,
           const precision::ParallelFor& parallel, TrainRun& run);

}  // namespace npusim::sim
