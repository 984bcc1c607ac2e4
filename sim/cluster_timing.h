// SPDX-License-Identifier: Apache-2.0
// A training step on several devices: what one device does (the simulated run of its graph, whose
// AllReduce nodes cost it nothing) and the collectives beside it.
//
// Data parallel. Each AllReduce is one bucket of gradients. Without overlap the buckets go one
// after the other when the backward pass has ended; the update begins when the last is there. With
// overlap a bucket starts when the last of its gradients is made and the bucket before has
// arrived; what the step takes longer is the time from the end of the backward pass to the arrival
// of the last bucket.
// Tensor parallel. Every AllReduce is waited for where it stands.
//
// Scaling efficiency: samples a second of the cluster over those of its devices each on its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "npu_models/cluster/cluster_spec.h"
#include "npu_models/mapping.h"
#include "npu_models/timing.h"

namespace npusim::sim {

struct CollectiveRun {
  std::string node;
  std::int64_t tensors = 0;
  std::int64_t bytes = 0;      ///< of the buffer
  double ready_seconds = 0.0;  ///< from the start of the step
  double start_seconds = 0.0;
  double end_seconds = 0.0;
};

struct ClusterTiming {
  std::string cluster, parallel, topology;
  std::int64_t devices = 0;
  bool overlap = false;
  std::vector<CollectiveRun> collectives;
  double device_seconds = 0.0;      ///< of one device's own work
  double collective_seconds = 0.0;  ///< sum over the collectives
  double exposed_seconds = 0.0;     ///< that the step takes longer for them
  double step_seconds = 0.0;
  double samples_per_s = 0.0;                ///< of all devices
  std::optional<double> scaling_efficiency;  ///< absent where one device was not simulated
  std::int64_t link_bytes = 0;               ///< over all links
};

/// What the step's samples, or a share of them, take one device on its own.
struct SingleDevice {
  double seconds = 0.0;
  std::int64_t samples = 0;
};

/// `samples`: of the step on all devices. Data parallel, a device's own step is its `single`.
ClusterTiming cluster_timing(const npu::ClusterSpec& cluster, const npu::NpuSpec& npu,
                             const npu::MappedGraph& device, const npu::TimingResult& timing,
                             std::int64_t samples, const std::optional<SingleDevice>& single);

}  // namespace npusim::sim
