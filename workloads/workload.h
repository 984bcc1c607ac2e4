// SPDX-License-Identifier: Apache-2.0
// A workload file read into a graph. The format is described in workloads/README.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/config_file.h"
#include "base/json_value.h"
#include "workloads/graph.h"
#include "workloads/training/gradient_reduction.h"
#include "workloads/training/optimizer_spec.h"

namespace npusim::workloads {

/// The "training" section: what the training transform appends.
struct TrainingSpec {
  std::string logits;  ///< tensor the loss reads
  std::string labels;  ///< graph input of role label
  std::string loss = "SoftmaxCrossEntropyLoss";
  OptimizerSpec optimizer;
  ClippingSpec clipping;
  ScheduleSpec schedule;
  std::vector<std::string> frozen;  ///< patterns of weights that are not trained, * and ? standing
                                    ///< for any text and any character
  /// A step runs the graph on so many batches, one after the other, and adds up their gradients.
  std::int64_t micro_batches = 1;
  /// Parts of the forward pass whose activations are thrown away and computed again for the
  /// backward pass, but those that other parts read; 0: all are kept.
  std::int64_t recompute_segments = 0;
  /// Of several devices: a cluster file sets it. Each device runs `micro_batches`.
  std::optional<GradientReduction> reduction;

  std::int64_t batches_in_graph() const {
    return micro_batches * (reduction ? reduction->devices_in_graph() : 1);
  }
};

struct Workload {
  std::string name;
  std::string description;
  Graph graph;                           ///< the forward graph
  std::optional<TrainingSpec> training;  ///< absent: inference only
  std::int64_t batch = 1;                ///< parameter "batch": samples of one run
  base::JsonValue resolved;              ///< the config as used, extends and overrides applied

  std::int64_t samples_per_step() const {
    return training ? batch * training->batches_in_graph() : batch;
  }
};

/// Throws base::InputError with every mistake of the file at once.
Workload load_workload(const std::string& path, const std::vector<base::Override>& overrides = {});

}  // namespace npusim::workloads
