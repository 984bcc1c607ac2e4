// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "case.h"
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/numerics.h"
#include "two_threads.h"
#include "workloads/workload.h"

namespace npusim::bench {
namespace {

/// A network mapped to a design, ready to be executed.
struct Mapped {
  workloads::Recipe recipe;
  npu::MappedGraph graph;
};

Mapped mapped(const std::string& design, const std::string& recipe) {
  const workloads::Workload network =
      workloads::load_workload(sim::find_file("workload", "resnet50"));
  const npu::NpuSpec npu = npu::load_npu(sim::find_file("npu", design));
  Mapped result;
  result.recipe = workloads::load_recipe(sim::find_file("recipe", recipe));
  result.graph = npu::map_graph(npu, network.graph, result.recipe);
  return result;
}

/// The goal is a time: so many MACs within `seconds` on two cores.
Case network_case(const std::string& name, const std::string& design, const std::string& recipe,
                  double seconds) {
  const auto network = std::make_shared<Mapped>(mapped(design, recipe));
  const auto macs = static_cast<double>(network->graph.graph.mac_count());
  const auto run = [network] {
    return two_thread_seconds([&](const precision::ParallelFor& parallel) {
      sim::execute(network->graph, network->recipe, {}, parallel);
    });
  };
  return {name, "GMAC/s", macs, run, {}, {{Against::nothing, macs / seconds * 1e-9}}, 1};
}

}  // namespace

std::vector<Case> network_cases() {
  return {
      network_case("resnet50_bf16_fp32_accumulate", "systolic128_bf16", "bf16_fp32_accumulate",
                   1.5),
      network_case("resnet50_fp16_fp16_accumulate", "cube16_fp16", "fp16_fp16_accumulate", 3.0),
  };
}

}  // namespace npusim::bench
