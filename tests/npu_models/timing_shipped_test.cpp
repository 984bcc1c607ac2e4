// SPDX-License-Identifier: Apache-2.0
// The shipped NPUs on shipped workloads: what must hold whatever the mapping chose.
#include <gtest/gtest.h>

#include "npu_models/modules/layer_repeats.h"
#include "tests/npu_models/support.h"
#include "tests/npu_models/timing_support.h"
#include "tests/source_dir.h"
#include "workloads/training/transform.h"
#include "workloads/workload.h"

namespace npusim::npu {
namespace {

using testing::load_shipped;
using testing::run_all;

workloads::Workload shipped_workload(const std::string& name) {
  return workloads::load_workload(test::source_dir() + "/workloads/" + name + ".json");
}

workloads::Recipe default_recipe(const NpuSpec& npu) {
  return workloads::load_recipe(test::source_dir() + "/configs/recipes/" + npu.default_recipe +
                                ".json");
}

std::vector<MappedGraph> graphs_on(const NpuSpec& npu) {
  const workloads::Workload mlp = shipped_workload("mlp");
  return {map_graph(npu, shipped_workload("small_cnn").graph, default_recipe(npu)),
          map_graph(npu, workloads::make_training_step(mlp, true), default_recipe(npu))};
}

std::int64_t weighed(const MappedGraph& mapped, workloads::TensorId id) {
  return mapped.storage[static_cast<std::size_t>(id)].format.storage_bytes();
}

class TimingShipped : public ::testing::TestWithParam<const char*> {};

TEST_P(TimingShipped, CausesAddUpAndOpsMoveTheirBytes) {
  const NpuSpec npu = load_shipped(GetParam());
  const std::vector<MappedGraph> graphs = graphs_on(npu);
  const std::vector<TimingResult> results = run_all(npu, graphs);
  for (std::size_t g = 0; g < graphs.size(); ++g) {
    SCOPED_TRACE(graphs[g].graph.name);
    testing::expect_every_cycle_has_a_cause(results[g]);
    ASSERT_EQ(results[g].ops.size(), graphs[g].ops.size());
    std::int64_t bytes = 0;
    for (std::size_t i = 0; i < graphs[g].ops.size(); ++i) {
      const MappedOp& op = graphs[g].ops[i];
      const OpTiming& row = results[g].ops[i];
      bytes += row.dram_read_bytes + row.dram_write_bytes;
      if (op.engine != Engine::matrix) continue;
      SCOPED_TRACE(row.node);
      const workloads::Node& node = graphs[g].graph.nodes[static_cast<std::size_t>(op.node)];
      const workloads::Contraction& c = op.gemm->contraction;
      const auto side = [&](int input) {
        return weighed(graphs[g], node.inputs[static_cast<std::size_t>(input)]);
      };
      const workloads::Node& last =
          op.epilogue.empty() ? node
                              : graphs[g].graph.nodes[static_cast<std::size_t>(op.epilogue.back())];
      const GemmTraffic traffic = gemm_traffic(
          *op.gemm, {side(c.m_input), side(c.n_input), weighed(graphs[g], last.outputs.front())});
      EXPECT_EQ(row.dram_write_bytes, traffic.write_bytes());
      EXPECT_GE(row.dram_read_bytes, traffic.read_bytes());  // plus bias and epilogue operands
      if (op.epilogue.empty() && c.bias_input < 0) {
        EXPECT_EQ(row.dram_read_bytes, traffic.read_bytes());
      }
    }
    EXPECT_EQ(bytes, results[g].dram_bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Npus, TimingShipped,
                         ::testing::Values("systolic128_bf16", "cube16_fp16", "nvdla_fp16"));

/// Forward, backward and update of the layers of a transformer: the first of each gives every
/// number of a simulation of all, on engines that work over borders of ops, with DMA channels, open
/// rows.
TEST(TimingShippedLayers, RepeatedLayersGiveTheNumbersOfAllLayers) {
  const std::vector<std::vector<std::string>> designs = {
      {},
      {R"(dma={"channels": 2, "width_bytes": 64, "burst_bytes": 256, "descriptor_cycles": 8})"},
      {"dram.latency_ns=100", "scratchpad.buffers=3"}};
  std::vector<base::Override> parameters;
  for (const char* text : {"workload.parameters.layers=4", "workload.parameters.hidden=64"})
    parameters.push_back(base::parse_override(text).override);
  const workloads::Workload gpt =
      workloads::load_workload(test::source_dir() + "/workloads/small_gpt.json", parameters);
  for (const std::vector<std::string>& changes : designs) {
    const NpuSpec npu = load_shipped("systolic128_bf16", changes);
    const MappedGraph mapped =
        map_graph(npu, workloads::make_training_step(gpt, true), default_recipe(npu));
    std::size_t left_out = 0;
    for (const model::LayerRepeat& repeat : model::layer_repeats(npu, mapped))
      left_out += (repeat.count - 1) * repeat.length;
    EXPECT_GE(left_out, mapped.ops.size() / 3);
    SimulationOptions options;
    options.layers = Layers::apart;
    const TimingResult all = run_all(npu, {mapped}, options).front();
    options.layers = Layers::repeated;
    EXPECT_EQ(serialize(run_all(npu, {mapped}, options).front()), serialize(all));
    EXPECT_GE(all.cycles, run_all(npu, {mapped}).front().cycles);
  }
}

TEST(TimingShippedAccumulator, EqualWidthAndLatencyGiveEqualCycles) {
  // bf16 and fp16 sums: two bytes and one cycle each in this file
  const NpuSpec bf16 = load_shipped("systolic128_bf16", {"mac_array.accumulator.format=bf16"});
  const NpuSpec fp16 = load_shipped("systolic128_bf16", {"mac_array.accumulator.format=fp16"});
  const TimingResult a = run_all(bf16, graphs_on(bf16)).front();
  const TimingResult b = run_all(fp16, graphs_on(fp16)).front();
  EXPECT_EQ(a.cycles, b.cycles);
  EXPECT_EQ(a.stall_cycles, b.stall_cycles);
  EXPECT_EQ(a.dram_bytes, b.dram_bytes);
  EXPECT_EQ(a.sram_bytes, b.sram_bytes);
}

TEST(TimingShippedAccumulator, LatencyShowsInTheCycles) {
  const NpuSpec fast = load_shipped("systolic128_bf16", {"mac_array.accumulator.format=bf16"});
  const NpuSpec slow = load_shipped("systolic128_bf16");  // fp32: two cycles an addition
  EXPECT_LT(run_all(fast, graphs_on(fast)).front().stall_cycles.at("fill_drain"),
            run_all(slow, graphs_on(slow)).front().stall_cycles.at("fill_drain"));
}

}  // namespace
}  // namespace npusim::npu
