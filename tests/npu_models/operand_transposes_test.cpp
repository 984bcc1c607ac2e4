// SPDX-License-Identifier: Apache-2.0
// Which operands of a product are stored in the other order than the array takes: by hand, from
// what enters each array in a cycle.
#include "npu_models/operand_transposes.h"

#include <gtest/gtest.h>

#include "graphs.h"
#include "support.h"
#include "workloads/training/backward.h"

namespace npusim::npu {
namespace {

using testing::GraphBuilder;
using testing::load_shipped;
using testing::uniform_recipe;
using workloads::Graph;
using workloads::TensorId;

MacArraySpec array_of(const std::string& organisation, Dataflow dataflow, std::int64_t depth) {
  MacArraySpec array;
  array.organisation = organisation;
  array.dataflow = dataflow;
  array.depth = depth;
  return array;
}

std::string transposed(const MacArraySpec& array, const Graph& graph, std::size_t node) {
  const std::vector<precision::Arithmetic> storage(graph.tensors.size(),
                                                   {precision::bf16(), precision::Rounding::rne});
  return describe(OperandTransposes(array, graph).of(graph.nodes[node], storage));
}

/// A (6 x 8) times B (8 x 4), both of them activations.
Graph product(bool trans_a, bool trans_b) {
  GraphBuilder b;
  const TensorId left = b.input("a", trans_a ? workloads::Shape{8, 6} : workloads::Shape{6, 8});
  const TensorId right = b.input("b", trans_b ? workloads::Shape{4, 8} : workloads::Shape{8, 4});
  return b.finish({b.node("MatMul", "y", {left, right},
                          {{"transA", std::int64_t{trans_a}}, {"transB", std::int64_t{trans_b}}})});
}

TEST(TransposedOperands, AreThoseThatTheDataflowTakesInTheOtherOrder) {
  // A' and B' as stored: A by k unless transposed, B by n unless transposed
  struct Row {
    MacArraySpec array;
    std::string none, a, b, both;
  };
  const Row rows[] = {
      // a column of terms for a position streams, a row of channels for a term is preloaded
      {array_of("systolic", Dataflow::weight_stationary, 1), "-", "A", "B", "A B"},
      {array_of("systolic", Dataflow::input_stationary, 1), "A B", "B", "A", "-"},
      // positions from the left and channels from the top, a term a cycle
      {array_of("systolic", Dataflow::output_stationary, 1), "A", "-", "A B", "B"},
      // terms of a position meet terms of a channel
      {array_of("dot_product", Dataflow::weight_stationary, 16), "B", "A B", "-", "A"},
      {array_of("cube", Dataflow::weight_stationary, 16), "B", "A B", "-", "A"},
      {array_of("tensor_core", Dataflow::weight_stationary, 4), "B", "A B", "-", "A"},
      {array_of("simd", Dataflow::weight_stationary, 1), "A", "-", "A B", "B"}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.array.organisation);
    EXPECT_EQ(transposed(row.array, product(false, false), 0), row.none);
    EXPECT_EQ(transposed(row.array, product(true, false), 0), row.a);
    EXPECT_EQ(transposed(row.array, product(false, true), 0), row.b);
    EXPECT_EQ(transposed(row.array, product(true, true), 0), row.both);
  }
}

TEST(TransposedOperands, AVectorHasBothOrders) {
  GraphBuilder b;
  const TensorId row = b.input("a", {8, 1}), column = b.input("b", {1, 8});
  const Graph graph = b.finish({b.node("MatMul", "dot", {row, column},
                                       {{"transA", std::int64_t{1}}, {"transB", std::int64_t{1}}}),
                                b.node("MatMul", "outer", {row, column}, {})});
  const MacArraySpec array = array_of("cube", Dataflow::weight_stationary, 16);
  EXPECT_EQ(transposed(array, graph, 0), "-");
  EXPECT_EQ(transposed(array, graph, 1), "-");
}

/// A layer with the weight as (outputs, inputs) and its two gradients.
Graph trained_layer() {
  GraphBuilder b;
  const TensorId y = b.gemm("fc", b.input("x", {6, 8}), 4);
  Graph graph = b.finish({y});
  const TensorId loss =
      graph.add_node("ReduceSum", "loss", {y}, {{"keepdims", std::int64_t{0}}}, {"loss"})[0];
  workloads::add_backward(graph, loss, {graph.inputs[0], graph.find("fc.weight")});
  return graph;
}

TEST(TransposedOperands, GradientsReadWhatTheForwardPassStoredTheOtherWayRound) {
  const Graph graph = trained_layer();
  const auto of = [&](const MacArraySpec& array) {
    std::string text;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
      if (graph.nodes[i].op == "Gemm")
        text += graph.nodes[i].name + ": " + transposed(array, graph, i) + "; ";
    return text;
  };
  // The weight is stored as the forward pass takes it, so that the data gradient, which sums over
  // its other dimension, does not; of the weight gradient, summed over the batch, neither operand
  // is by k and only the preloaded one need not be.
  const std::string name_a = graph.nodes[graph.nodes.size() - 2].name;
  const std::string stationary = of(array_of("systolic", Dataflow::weight_stationary, 1));
  EXPECT_EQ(stationary.find("fc: -; "), 0U) << stationary;
  EXPECT_NE(stationary.find("da: B; "), std::string::npos) << stationary;
  EXPECT_NE(stationary.find("db: A; "), std::string::npos) << stationary;
  const std::string dot = of(array_of("dot_product", Dataflow::weight_stationary, 16));
  EXPECT_EQ(dot.find("fc: -; "), 0U) << dot;
  EXPECT_NE(dot.find("da: B; "), std::string::npos) << dot;
  EXPECT_NE(dot.find("db: A B; "), std::string::npos) << dot;
}

TEST(TransposedOperands, AWeightKeepsItsOrderThroughCastsBlocksAndViews) {
  // of a constant stored (outputs, inputs) or the other way, whatever stands before the product
  for (const bool trans_b : {false, true}) {
    SCOPED_TRACE(trans_b);
    const workloads::Shape shape = trans_b ? workloads::Shape{32, 64} : workloads::Shape{64, 32};
    const workloads::Attributes reading = {{"transB", std::int64_t{trans_b}}};
    for (const auto role : {workloads::TensorRole::weight, workloads::TensorRole::master_weight,
                            workloads::TensorRole::statistics, workloads::TensorRole::activation}) {
      GraphBuilder b;
      const TensorId x = b.input("x", {8, 64});
      const TensorId w = b.input("w", shape, role);
      const TensorId copy = b.node("Identity", "copy", {b.node("Cast", "cast", {w})});
      const TensorId view = b.node("ReshapeTo", "view", {copy}, {{"shape", shape}});
      Graph graph = b.finish({b.node("MatMul", "y", {x, view}, reading)});
      graph.tensors[static_cast<std::size_t>(w)].initializer = workloads::Initializer{};
      const bool constant = role != workloads::TensorRole::activation;
      for (const MacArraySpec& array : {array_of("systolic", Dataflow::weight_stationary, 1),
                                        array_of("cube", Dataflow::weight_stationary, 16)}) {
        const bool by_k = array.organisation == "cube";
        EXPECT_EQ(transposed(array, graph, 3), constant || by_k == trans_b ? "-" : "B");
        // the other way round for a gradient
        Graph both = graph;
        both.add_node("MatMul", "dx",
                      {both.add_node("MatMul", "dy", {x, view}, reading, {"dy"})[0], view},
                      {{"transB", std::int64_t{!trans_b}}}, {"dx"});
        if (constant) {
          EXPECT_EQ(transposed(array, both, 5), "B");
        }
      }
    }
  }
}

TEST(TransposedOperands, AQuantisedWeightHasTheOrderOfItsSource) {
  GraphBuilder b;
  const TensorId x = b.input("x", {8, 64});
  const TensorId w = b.input("w", {64, 32}, workloads::TensorRole::weight);
  Graph graph = b.finish({});
  const auto blocks = graph.add_node("QuantizeBlocks", "q", {w},
                                     {{"format", std::string("mxfp8_e4m3")},
                                      {"scale_rounding", std::string("floor")},
                                      {"tile", std::vector<std::int64_t>{32, 1}}},
                                     {"w.q", "w.scales"});
  graph.outputs = graph.add_node("MatMul", "y", {x, blocks[0]}, {}, {"y"});
  EXPECT_EQ(transposed(array_of("cube", Dataflow::weight_stationary, 16), graph, 1), "-");
}

MappedGraph mapped_with(const std::string& way) {
  return map_graph(
      load_shipped("systolic128_bf16", {"data_layout={\"transposed_operands\": \"" + way + "\"}",
                                        "dma={\"width_bytes\": 64}"}),
      product(true, true), uniform_recipe(precision::bf16()));
}

TEST(TransposedOperands, AreMadeInDramOrGatheredAsTheFileSays) {
  EXPECT_TRUE(mapped_with("free").ops[0].transposed.empty());
  EXPECT_EQ(mapped_with("free").memory.most[MemoryKind::workspace], 0);
  const MappedGraph made = mapped_with("vector_unit");
  ASSERT_EQ(made.ops[0].transposed.size(), 2U);
  EXPECT_FALSE(made.ops[0].transposed[0].stationary);
  EXPECT_EQ(made.ops[0].transposed[0].bytes(), 6 * 8 * 2);
  EXPECT_TRUE(made.ops[0].transposed[1].stationary);
  EXPECT_EQ(made.ops[0].transposed[1].bytes(), 8 * 4 * 2);
  EXPECT_FALSE(made.ops[0].transposed[0].by_dma);
  EXPECT_EQ(made.memory.most[MemoryKind::workspace], 6 * 8 * 2 + 8 * 4 * 2);
  const MappedGraph gathered = mapped_with("dma");
  ASSERT_EQ(gathered.ops[0].transposed.size(), 2U);
  EXPECT_TRUE(gathered.ops[0].transposed[0].by_dma);
  EXPECT_EQ(gathered.memory.most[MemoryKind::workspace], 0);
}

}  // namespace
}  // namespace npusim::npu
