// SPDX-License-Identifier: Apache-2.0
#include "sim/cluster_timing.h"

#include <algorithm>
#include <map>

#include "npu_models/cluster/collectives.h"

namespace npusim::sim {
namespace {

using workloads::Node;
using workloads::Phase;
using workloads::TensorId;

/// When tensors of the device's graph are made, in seconds.
class ReadyTimes {
 public:
  ReadyTimes(const npu::NpuSpec& npu, const npu::MappedGraph& mapped,
             const npu::TimingResult& timing)
      : mapped_(mapped), writer_(workloads::writers(mapped.graph)) {
    std::map<std::string, std::int64_t> end;
    for (const npu::OpTiming& op : timing.ops) end[op.node] = op.end_cycle;
    node_end_.assign(mapped.graph.nodes.size(), 0);
    const double second = 1.0 / (npu.clock_mhz * 1e6);
    for (const npu::MappedOp& op : mapped.ops) {
      const Node& node = mapped.graph.nodes[static_cast<std::size_t>(op.node)];
      const auto found = end.find(node.name);
      if (found == end.end()) continue;
      const double seconds = static_cast<double>(found->second) * second;
      node_end_[static_cast<std::size_t>(op.node)] = seconds;
      for (const int fused : op.epilogue) node_end_[static_cast<std::size_t>(fused)] = seconds;
      if (node.phase == Phase::backward) backward_end_ = std::max(backward_end_, seconds);
    }
  }
  /// A view is there when what it looks at is.
  double of(TensorId id) const {
    const int node = writer_[static_cast<std::size_t>(id)];
    if (node < 0) return 0.0;
    double ready = node_end_[static_cast<std::size_t>(node)];
    if (ready > 0.0) return ready;
    for (const TensorId input : mapped_.graph.nodes[static_cast<std::size_t>(node)].inputs)
      if (input != workloads::kNoTensor) ready = std::max(ready, of(input));
    return ready;
  }
  double backward_end() const { return backward_end_; }

 private:
  const npu::MappedGraph& mapped_;
  std::vector<int> writer_;
  std::vector<double> node_end_;
  double backward_end_ = 0.0;
};

CollectiveRun collective_of(const npu::MappedGraph& device, const Node& node,
                            std::int64_t& elements, std::int64_t& element_bytes) {
  CollectiveRun run;
  run.node = node.name;
  run.tensors = static_cast<std::int64_t>(node.outputs.size());
  elements = 0;
  for (const TensorId id : node.outputs)
    elements += workloads::element_count(device.graph.tensor(id).shape);
  element_bytes = node.internal->storage_bytes();
  run.bytes = elements * element_bytes;
  return run;
}

}  // namespace

ClusterTiming cluster_timing(const npu::ClusterSpec& cluster, const npu::NpuSpec& npu,
                             const npu::MappedGraph& device, const npu::TimingResult& timing,
                             std::int64_t samples, const std::optional<SingleDevice>& single) {
  ClusterTiming result;
  result.cluster = cluster.name;
  result.parallel = npu::name_of(cluster.parallel);
  result.topology = workloads::name_of(cluster.interconnect.topology);
  result.devices = cluster.devices;
  result.overlap = cluster.overlap;
  result.device_seconds = static_cast<double>(timing.cycles) / (npu.clock_mhz * 1e6);
  const bool data = cluster.parallel == npu::Parallelism::data;
  const ReadyTimes times(npu, device, timing);
  double free = data && !cluster.overlap ? times.backward_end() : 0.0;  // of the links
  for (const Node& node : device.graph.nodes) {
    if (node.op != "AllReduce") continue;
    std::int64_t elements = 0, element_bytes = 0;
    CollectiveRun run = collective_of(device, node, elements, element_bytes);
    const npu::CollectiveCost cost =
        npu::all_reduce(cluster.interconnect, cluster.devices, elements, element_bytes);
    for (const TensorId id : node.inputs)
      run.ready_seconds = std::max(run.ready_seconds, times.of(id));
    if (!data) run.ready_seconds += result.collective_seconds;  // it waited for those before
    run.start_seconds = std::max(run.ready_seconds, free);
    run.end_seconds = run.start_seconds + cost.seconds;
    free = run.end_seconds;
    result.collective_seconds += cost.seconds;
    result.link_bytes += cost.link_bytes;
    result.collectives.push_back(run);
  }
  result.exposed_seconds =
      data ? std::max(0.0, free - times.backward_end()) : result.collective_seconds;
  result.step_seconds = result.device_seconds + result.exposed_seconds;
  if (!(result.step_seconds > 0.0)) return result;
  result.samples_per_s = static_cast<double>(samples) / result.step_seconds;
  if (data)
    result.scaling_efficiency = result.device_seconds / result.step_seconds;
  else if (single && single->seconds > 0.0)
    result.scaling_efficiency = result.samples_per_s * single->seconds /
                                static_cast<double>(cluster.devices * single->samples);
  return result;
}

}  // namespace npusim::sim
