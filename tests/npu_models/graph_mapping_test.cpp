// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graphs.h"
#include "npu_models/mapping.h"
#include "support.h"

namespace npusim::npu {
namespace {

using ::testing::ElementsAre;
using testing::GraphBuilder;
using testing::load_shipped;
using testing::uniform_recipe;

std::vector<std::string> names(const MappedGraph& mapped, const std::vector<int>& nodes) {
  std::vector<std::string> text;
  for (int node : nodes) text.push_back(mapped.graph.nodes[static_cast<std::size_t>(node)].name);
  return text;
}

const MappedOp& op_named(const MappedGraph& mapped, const std::string& name) {
  for (const MappedOp& op : mapped.ops)
    if (mapped.graph.nodes[static_cast<std::size_t>(op.node)].name == name) return op;
  throw std::runtime_error("no op " + name);
}

MappedGraph map_bf16(const workloads::Graph& graph, const NpuSpec& npu) {
  return map_graph(npu, graph, uniform_recipe(precision::bf16()));
}
MappedGraph map_bf16(const workloads::Graph& graph) {
  return map_bf16(graph, load_shipped("systolic128_bf16"));
}

/// conv1 - bn1 - relu1 - conv2 - bn2 - (+ shortcut: conv3 - bn3) - relu2
workloads::Graph residual_block() {
  GraphBuilder b;
  const auto x = b.input("x", {1, 8, 6, 6});
  const auto relu1 = b.node("Relu", "relu1", {b.batch_norm("bn1", b.conv("conv1", x, 16, 3))});
  const auto bn2 = b.batch_norm("bn2", b.conv("conv2", relu1, 16, 3));
  const auto bn3 = b.batch_norm("bn3", b.conv("conv3", x, 16, 1));
  return b.finish({b.node("Relu", "relu2", {b.node("Add", "add", {bn2, bn3})})});
}

TEST(Fusion, EpiloguesFollowTheirMatrixOp) {
  const MappedGraph mapped = map_bf16(residual_block());
  ASSERT_EQ(mapped.ops.size(), 3U);
  EXPECT_THAT(names(mapped, op_named(mapped, "conv1").epilogue), ElementsAre("bn1", "relu1"));
  // The sum waits for the shortcut, which runs last.
  EXPECT_THAT(names(mapped, op_named(mapped, "conv2").epilogue), ElementsAre("bn2"));
  EXPECT_THAT(names(mapped, op_named(mapped, "conv3").epilogue),
              ElementsAre("bn3", "add", "relu2"));
}

TEST(Fusion, TensorsInsideStayOnTheChipInTheVectorUnitsFormat) {
  const MappedGraph mapped = map_bf16(residual_block());
  const auto tensor = [&](const char* name) {
    return static_cast<std::size_t>(mapped.graph.find(name));
  };
  for (const char* inside : {"conv1.out", "bn1.out", "conv3.out", "bn3.out", "add.out"}) {
    EXPECT_TRUE(mapped.on_chip[tensor(inside)]) << inside;
    EXPECT_EQ(mapped.storage[tensor(inside)].format.name, "fp32") << inside;
  }
  for (const char* outside : {"relu1.out", "bn2.out", "relu2.out", "x", "conv1.weight"}) {
    EXPECT_FALSE(mapped.on_chip[tensor(outside)]) << outside;
    EXPECT_EQ(mapped.storage[tensor(outside)].format.name, "bf16") << outside;
  }
}

TEST(Fusion, NeedsAVectorUnitThatFuses) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  npu.vector_unit.fuses_epilogue = false;
  const MappedGraph mapped = map_bf16(residual_block(), npu);
  EXPECT_EQ(mapped.ops.size(), mapped.graph.nodes.size());
  EXPECT_THAT(mapped.on_chip, ::testing::Each(false));
}

TEST(Fusion, ATensorWithTwoReadersIsStored) {
  GraphBuilder b;
  const auto conv = b.conv("conv", b.input("x", {1, 8, 6, 6}), 16, 3);
  const auto relu = b.node("Relu", "relu", {conv});
  const MappedGraph mapped = map_bf16(b.finish({b.node("Add", "add", {relu, conv})}));
  EXPECT_EQ(mapped.ops.size(), 3U);
}

TEST(Fusion, AGraphOutputIsStored) {
  GraphBuilder b;
  const auto conv = b.conv("conv", b.input("x", {1, 8, 6, 6}), 16, 3);
  const auto relu = b.node("Relu", "relu", {conv});
  EXPECT_EQ(map_bf16(b.finish({conv, relu})).ops.size(), 2U);
}

TEST(Fusion, ABroadcastSumIsNotFused) {
  GraphBuilder b;
  const auto conv = b.conv("conv", b.input("x", {1, 8, 6, 6}), 16, 3);
  const auto row = b.input("row", {1, 16, 1, 1});
  EXPECT_EQ(map_bf16(b.finish({b.node("Add", "add", {conv, row})})).ops.size(), 2U);
}

TEST(Fusion, HostOpsAreNotFused) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  npu.operators.entries["Relu"].support = Support::host;
  GraphBuilder b;
  const auto conv = b.conv("conv", b.input("x", {1, 8, 6, 6}), 16, 3);
  const MappedGraph mapped = map_bf16(b.finish({b.node("Relu", "relu", {conv})}), npu);
  ASSERT_EQ(mapped.ops.size(), 2U);
  EXPECT_EQ(mapped.ops[1].engine, Engine::host);
}

TEST(Mapping, VectorWorkOfAMatrixOpHasItsEpilogue) {
  GraphBuilder b;
  const auto conv = b.conv("conv", b.input("x", {1, 8, 6, 6}), 16, 3);
  const MappedGraph mapped = map_bf16(b.finish({b.node("Relu", "relu", {conv})}));
  ASSERT_EQ(mapped.ops.size(), 1U);
  std::int64_t elements = 0;
  for (const workloads::VectorWork& work : mapped.ops[0].vector_work) elements += work.elements;
  EXPECT_EQ(elements, 16 * 6 * 6);
  EXPECT_EQ(mapped.ops[0].macs, 16 * 36 * 8 * 9);
}

TEST(Mapping, ViewsCostNothing) {
  GraphBuilder b;
  const auto conv = b.conv("conv", b.input("x", {1, 8, 6, 6}), 16, 3);
  const auto flat = b.node("Flatten", "flat", {conv});
  const MappedGraph mapped = map_bf16(b.finish({b.gemm("fc", flat, 10)}));
  EXPECT_EQ(op_named(mapped, "flat").engine, Engine::view);
  EXPECT_TRUE(op_named(mapped, "flat").vector_work.empty());
  EXPECT_EQ(op_named(mapped, "fc").engine, Engine::matrix);
}

TEST(Mapping, DecomposedOpsKeepTheirOriginAndVerdict) {
  GraphBuilder b;
  const auto x = b.input("x", {4, 10});
  const auto labels = b.input("labels", {4}, workloads::TensorRole::label);
  const auto loss =
      b.node("SoftmaxCrossEntropyLoss", "loss", {x, labels}, {}, workloads::TensorRole::loss);
  const MappedGraph mapped = map_bf16(b.finish({loss}));
  ASSERT_EQ(mapped.ops.size(), 2U);
  for (const MappedOp& op : mapped.ops) {
    EXPECT_EQ(op.origin, "loss");
    EXPECT_EQ(op.verdict.support, Support::decomposed);
    EXPECT_EQ(op.engine, Engine::vector);
  }
}

TEST(Mapping, RefusesWhatCannotRunWithNodeAndReason) {
  const auto message = [](const workloads::Recipe& recipe) -> std::string {
    try {
      map_graph(load_shipped("systolic128_bf16"), residual_block(), recipe);
    } catch (const UnsupportedError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message(uniform_recipe(precision::fp16())), ::testing::HasSubstr("conv1 (Conv)"));
  EXPECT_THAT(message(uniform_recipe(precision::fp16())), ::testing::HasSubstr("more"));
  EXPECT_EQ(message(uniform_recipe(precision::bf16())), "");
}

TEST(Mapping, RefusesWhatDoesNotFitMemory) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  npu.dram.capacity_bytes = 4096;
  const MappedGraph mapped = map_bf16(residual_block(), npu);
  EXPECT_THROW(check_fits(npu, mapped), UnsupportedError);
  npu.dram.capacity_bytes = mapped.memory.peak_bytes;
  EXPECT_NO_THROW(check_fits(npu, mapped));
}

TEST(Mapping, RecipeSelectsTheAccumulator) {
  workloads::Recipe recipe = uniform_recipe(precision::fp16());
  const auto mapping = [&] {
    return *map_graph(load_shipped("cube16_fp16"), residual_block(), recipe).ops[0].gemm;
  };
  EXPECT_EQ(mapping().unit.accumulator().format.name, "fp32");
  EXPECT_EQ(mapping().accumulator_bytes, 4);
  EXPECT_EQ(mapping().accumulator_latency_cycles, 4);
  recipe.accumulator = precision::fp16();
  EXPECT_EQ(mapping().unit.accumulator().format.name, "fp16");
  EXPECT_EQ(mapping().accumulator_bytes, 2);
  EXPECT_EQ(mapping().accumulator_latency_cycles, 2);
}

TEST(Mapping, HashFollowsPlansUnitsTilesAndStorage) {
  const workloads::Graph graph = residual_block();
  const std::string base = map_bf16(graph).hash();
  EXPECT_EQ(base, map_bf16(graph).hash());
  EXPECT_EQ(base.size(), 16U);
  for (const char* setting :
       {"mac_array.rows=8", "mac_array.accumulator.format=fp16",
        "mac_array.accumulator.rounding=rtz", "mac_array.accumulator.bias=after",
        "vector_unit.format=bf16", "mac_array.accumulator.memory_kib=1"})
    EXPECT_NE(base, map_bf16(graph, load_shipped("systolic128_bf16", {setting})).hash()) << setting;
  EXPECT_EQ(base,
            map_bf16(graph, load_shipped("systolic128_bf16", {"dram.latency_ns=900"})).hash());
}

}  // namespace
}  // namespace npusim::npu
