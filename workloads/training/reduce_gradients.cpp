// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/reduce_gradients.h"

#include <algorithm>

namespace npusim::workloads {

std::vector<std::vector<std::size_t>> buckets_of(const std::vector<std::int64_t>& sizes,
                                                 std::int64_t most) {
  std::vector<std::vector<std::size_t>> buckets;
  std::int64_t filled = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (buckets.empty() || filled + sizes[i] > most) {
      buckets.emplace_back();
      filled = 0;
    }
    buckets.back().push_back(i);
    filled += sizes[i];
  }
  return buckets;
}

void reduce_gradients(Graph& graph, const GradientReduction& reduction,
                      const precision::Format& format,
                      const std::vector<std::vector<TensorId>>& gradients,
                      std::vector<Parameter>& parameters) {
  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (parameters[i].gradient != kNoTensor) ready.push_back(i);
  const std::vector<int> writer = writers(graph);
  const auto made_at = [&](std::size_t parameter) {
    return writer[static_cast<std::size_t>(parameters[parameter].gradient)];
  };
  std::stable_sort(ready.begin(), ready.end(),
                   [&](std::size_t a, std::size_t b) { return made_at(a) < made_at(b); });
  std::vector<std::int64_t> sizes;
  for (const std::size_t i : ready)
    sizes.push_back(element_count(graph.tensor(parameters[i].gradient).shape) *
                    format.storage_bytes());
  std::size_t count = 0;
  for (const std::vector<std::size_t>& bucket : buckets_of(sizes, reduction.bucket_bytes)) {
    std::vector<TensorId> inputs;
    std::vector<std::string> outputs;
    for (const std::vector<TensorId>& of_device : gradients)
      for (const std::size_t i : bucket) inputs.push_back(of_device[ready[i]]);
    for (const std::size_t i : bucket)
      outputs.push_back(graph.tensor(parameters[ready[i]].weight).name + ".reduced");
    const std::vector<TensorId> reduced =
        graph.add_node("AllReduce", "gradients.reduce" + std::to_string(count++), inputs,
                       {{"algorithm", std::string(name_of(reduction.algorithm))},
                        {"devices", reduction.devices_in_graph()}},
                       outputs, TensorRole::weight_gradient, Phase::backward);
    graph.nodes.back().internal = format;
    for (std::size_t k = 0; k < bucket.size(); ++k)
      parameters[ready[bucket[k]]].gradient = reduced[k];
  }
}

}  // namespace npusim::workloads
