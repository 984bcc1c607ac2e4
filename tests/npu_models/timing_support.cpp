// SPDX-License-Identifier: Apache-2.0
#include "tests/npu_models/timing_support.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "base/isolated.h"

namespace npusim::npu::testing {
namespace {

using workloads::Shape;
using workloads::TensorId;

precision::Arithmetic fp32_sums() {
  return {precision::fp32(), precision::Rounding::rne};
}

}  // namespace

NpuSpec tiny_npu() {
  NpuSpec npu;
  npu.name = "tiny";
  npu.clock_mhz = 1000.0;
  npu.mac_array.organisation = "systolic";
  npu.mac_array.rows = 4;
  npu.mac_array.cols = 4;
  npu.mac_array.inputs = {{precision::fp16(), 1}};
  npu.mac_array.accumulator.arithmetic = fp32_sums();
  npu.mac_array.accumulator.choices = {precision::fp32()};
  npu.mac_array.accumulator.latency_cycles = {{"fp32", 1}};
  npu.mac_array.accumulator.memory_bytes = 1 << 20;
  npu.scratchpad = {1 << 20, 2};
  npu.dram.bandwidth_bytes_per_cycle = 16.0;
  npu.dram.capacity_bytes = std::int64_t{1} << 30;
  npu.vector_unit.lanes = 4;
  npu.vector_unit.cycles_per_element = {{"add", 1.0}, {"mul", 1.0}, {"max", 1.0}, {"exp", 4.0}};
  npu.vector_unit.arithmetic = fp32_sums();
  npu.vector_unit.fuses_epilogue = true;
  npu.host = HostSpec{8.0, 10, 2.0};
  return npu;
}

GemmMapping mapping_of(const GemmCase& gemm) {
  GemmMapping mapping;
  mapping.contraction.groups = gemm.groups;
  mapping.contraction.m = gemm.m;
  mapping.contraction.n = gemm.n;
  mapping.contraction.dims = {{"K", gemm.k}};
  mapping.ordered_k = gemm.k;
  mapping.tile_m = gemm.tile_m;
  mapping.tile_n = gemm.tile_n;
  mapping.tile_k = gemm.tile_k;
  mapping.loop_order = gemm.order;
  mapping.spills = gemm.spills;
  mapping.split = gemm.split;
  mapping.unit.a = mapping.unit.b = precision::fp16();
  mapping.unit.stages = {{0, precision::Combine::chain, fp32_sums()}};
  mapping.plan.dims = mapping.contraction.dims;
  return mapping;
}

HandGraph::HandGraph() {
  mapped.graph.name = "hand";
}

TensorId HandGraph::tensor(const Shape& shape) {
  workloads::TensorInfo info;
  info.name = "t" + std::to_string(mapped.graph.tensors.size());
  info.shape = shape;
  mapped.graph.tensors.push_back(info);
  mapped.storage.push_back({precision::fp16(), precision::Rounding::rne});
  mapped.on_chip.push_back(false);
  return static_cast<TensorId>(mapped.graph.tensors.size() - 1);
}

int HandGraph::add(Engine engine, const std::vector<TensorId>& inputs, TensorId out) {
  workloads::Node node;
  node.name = "n" + std::to_string(mapped.graph.nodes.size());
  node.op = name_of(engine);
  node.inputs = inputs;
  node.outputs = {out};
  mapped.graph.nodes.push_back(node);
  MappedOp op;
  op.node = static_cast<int>(mapped.graph.nodes.size() - 1);
  op.engine = engine;
  op.origin = node.name;
  mapped.ops.push_back(op);
  return static_cast<int>(mapped.ops.size() - 1);
}

int HandGraph::matrix(const GemmCase& gemm, TensorId a, TensorId b, TensorId out,
                      const std::vector<TensorId>& others) {
  std::vector<TensorId> inputs = {a, b};
  inputs.insert(inputs.end(), others.begin(), others.end());
  const int op = add(Engine::matrix, inputs, out);
  mapped.ops.back().gemm = mapping_of(gemm);
  mapped.ops.back().macs = mapped.ops.back().gemm->contraction.macs();
  add_combination(*mapped.ops.back().gemm, mapped.ops.back().vector_work);
  return op;
}

void HandGraph::fuse(int op, const std::vector<TensorId>& others, TensorId out,
                     const workloads::VectorWork& work) {
  MappedOp& host = mapped.ops[static_cast<std::size_t>(op)];
  const int last = host.epilogue.empty() ? host.node : host.epilogue.back();
  const TensorId between = mapped.graph.nodes[static_cast<std::size_t>(last)].outputs.front();
  mapped.on_chip[static_cast<std::size_t>(between)] = true;
  workloads::Node node;
  node.name = "f" + std::to_string(mapped.graph.nodes.size());
  node.op = "fused";
  node.inputs = {between};
  node.inputs.insert(node.inputs.end(), others.begin(), others.end());
  node.outputs = {out};
  mapped.graph.nodes.push_back(node);
  host.epilogue.push_back(static_cast<int>(mapped.graph.nodes.size() - 1));
  host.vector_work.push_back(work);
}

int HandGraph::vector(const std::vector<TensorId>& inputs, TensorId out,
                      const std::vector<workloads::VectorWork>& work) {
  const int op = add(Engine::vector, inputs, out);
  mapped.ops.back().vector_work = work;
  return op;
}

int HandGraph::host(const std::vector<TensorId>& inputs, TensorId out, std::int64_t elements) {
  const int op = add(Engine::host, inputs, out);
  mapped.ops.back().vector_work = {{"log", elements}};
  return op;
}

int HandGraph::view(TensorId input, TensorId out) {
  return add(Engine::view, {input}, out);
}

MappedGraph single_gemm(const GemmCase& gemm) {
  HandGraph graph;
  const TensorId a = graph.tensor({gemm.groups, gemm.m, gemm.k});
  const TensorId b = graph.tensor({gemm.groups, gemm.n, gemm.k});
  graph.matrix(gemm, a, b, graph.tensor({gemm.groups, gemm.m, gemm.n}));
  return graph.mapped;
}

std::vector<TimingResult> run_all(const NpuSpec& npu, const std::vector<MappedGraph>& graphs,
                                  const SimulationOptions& options) {
  const auto outcomes = base::run_isolated(graphs.size(), 2, [&](std::size_t i) {
    return serialize(simulate(npu, graphs[i], options));
  });
  std::vector<TimingResult> results;
  for (const base::IsolatedOutcome& outcome : outcomes) {
    if (!outcome.ok) throw std::runtime_error(outcome.error);
    results.push_back(parse_timing(outcome.payload));
  }
  return results;
}

TimingResult run(const NpuSpec& npu, const MappedGraph& mapped, const SimulationOptions& options) {
  return run_all(npu, {mapped}, options).front();
}

void expect_every_cycle_has_a_cause(const TimingResult& result) {
  std::int64_t total = result.busy_cycles;
  for (const auto& [cause, cycles] : result.stall_cycles) {
    EXPECT_GE(cycles, 0) << cause;
    total += cycles;
  }
  EXPECT_EQ(total, result.cycles * result.arrays);
  std::int64_t over_ops = 0;
  for (const OpTiming& op : result.ops) {
    over_ops += op.array_busy_cycles;
    for (const auto& cause : op.stall_cycles) over_ops += cause.second;
  }
  EXPECT_EQ(over_ops, total);
}

}  // namespace npusim::npu::testing
