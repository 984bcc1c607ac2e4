// SPDX-License-Identifier: Apache-2.0
// Which images change the order of their channels between ops, by hand on small graphs.
#include "npu_models/channel_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graphs.h"
#include "npu_models/mapping.h"
#include "support.h"

namespace npusim::npu {
namespace {

using ::testing::ElementsAre;
using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::load_shipped;
using testing::uniform_recipe;
using workloads::Graph;
using workloads::TensorId;
using Integers = std::vector<std::int64_t>;

MappedGraph mapped_with(const std::string& order, const Graph& graph) {
  return map_graph(
      load_shipped("systolic128_bf16", {"data_layout={\"channel_order\": " + order + "}"}), graph,
      uniform_recipe(precision::bf16()));
}

/// Names of the ops in their order, those fused behind others left out.
std::vector<std::string> ops_of(const MappedGraph& mapped) {
  std::vector<std::string> names;
  for (const MappedOp& op : mapped.ops)
    names.push_back(mapped.graph.nodes[static_cast<std::size_t>(op.node)].name);
  return names;
}

/// Two convolutions of 20 channels with ReLU between.
Graph chain() {
  GraphBuilder b;
  const TensorId first = b.conv("first", b.input("x", {2, 3, 8, 8}), 20, 3);
  return b.finish({b.conv("second", b.node("Relu", "relu", {first}), 20, 3)});
}

TEST(ChannelOrder, ChangesAtTheBordersOfTheGraph) {
  const MappedGraph mapped = mapped_with("{\"array\": \"nhwc\"}", chain());
  EXPECT_THAT(ops_of(mapped), ElementsAre("x.nhwc", "first", "second", "second.out.nchw"));
  EXPECT_EQ(mapped.ops[1].epilogue.size(), 1U);  // the ReLU takes what leaves the array
  // what the graph returns keeps its name
  EXPECT_EQ(mapped.graph.tensor(mapped.graph.outputs[0]).name, "second.out");
  const MappedOp& change = mapped.ops.front();
  EXPECT_TRUE(change.changes_order);
  EXPECT_EQ(change.engine, Engine::vector);
  ASSERT_EQ(change.vector_work.size(), 1U);
  EXPECT_EQ(change.vector_work[0].function, "copy");
  EXPECT_EQ(change.vector_work[0].elements, 2 * 3 * 8 * 8);
  // a graph that is given and returns that order has nothing to change
  EXPECT_THAT(ops_of(mapped_with("{\"array\": \"nhwc\", \"graph\": \"nhwc\"}", chain())),
              ElementsAre("first", "second"));
}

TEST(ChannelOrder, NothingChangesUnlessAsked) {
  EXPECT_THAT(ops_of(mapped_with("{}", chain())), ElementsAre("first", "second"));
  EXPECT_THAT(ops_of(mapped_with("{\"array\": \"nchw\"}", chain())),
              ElementsAre("first", "second"));
}

TEST(ChannelOrder, BlocksAreFilledWithZeros) {
  const MappedGraph mapped = mapped_with("{\"array\": \"nchwc\", \"block\": 16}", chain());
  EXPECT_THAT(ops_of(mapped), ElementsAre("x.nchwc", "first", "second", "second.out.nchw"));
  EXPECT_EQ(mapped.ops.front().vector_work[0].elements, 2 * 16 * 8 * 8);  // for 3 channels
  EXPECT_EQ(mapped.ops.back().vector_work[0].elements, 2 * 20 * 8 * 8);
  EXPECT_EQ(mapped.elements(mapped.graph.find("x.nchwc")), 2 * 16 * 8 * 8);
  EXPECT_EQ(mapped.elements(mapped.graph.find("x")), 2 * 3 * 8 * 8);
  EXPECT_EQ(mapped.elements(mapped.graph.find("relu.out")), 2 * 32 * 8 * 8);  // for 20 channels
  // one block of all channels is nhwc
  EXPECT_EQ(elements_in_order({ChannelOrder::nchwc}, ChannelOrder::nchwc, {2, 16, 3, 3}),
            2 * 16 * 9);
}

TEST(ChannelOrder, OneChangeServesAllThatWantIt) {
  GraphBuilder b;
  const TensorId x = b.input("x", {1, 4, 8, 8});
  const TensorId sum = b.node("Add", "sum", {b.conv("left", x, 4, 3), b.conv("right", x, 4, 1)});
  const Graph graph = b.finish({sum});
  EXPECT_THAT(ops_of(mapped_with("{\"array\": \"nhwc\"}", graph)),
              ElementsAre("x.nhwc", "left", "right", "sum.out.nchw"));
}

TEST(ChannelOrder, AVectorUnitWithAnOrderOfItsOwnHasItsImagesChanged) {
  GraphBuilder b;
  const TensorId y = b.conv("first", b.input("x", {1, 4, 8, 8}), 4, 3);
  const TensorId pooled = b.node("MaxPool", "pool", {y},
                                 {{"kernel_shape", Integers{2, 2}}, {"strides", Integers{2, 2}}});
  const Graph graph = b.finish({b.conv("second", pooled, 4, 3)});
  EXPECT_THAT(ops_of(mapped_with("{\"array\": \"nhwc\", \"vector_unit\": \"nchw\"}", graph)),
              ElementsAre("x.nhwc", "first", "first.out.nchw", "pool", "pool.out.nhwc", "second",
                          "second.out.nchw"));
  EXPECT_THAT(ops_of(mapped_with("{\"array\": \"nhwc\"}", graph)),
              ElementsAre("x.nhwc", "first", "pool", "second", "second.out.nchw"));
}

TEST(ChannelOrder, OnePixelHasAllOrdersAndMatricesHaveNone) {
  GraphBuilder b;
  const TensorId y = b.conv("conv", b.input("x", {2, 4, 8, 8}), 6, 3);
  const TensorId pooled = b.node("GlobalAveragePool", "pool", {y});
  const TensorId flat = b.node("Flatten", "flat", {pooled});
  EXPECT_THAT(ops_of(mapped_with("{\"array\": \"nhwc\"}", b.finish({b.gemm("fc", flat, 10)}))),
              ElementsAre("x.nhwc", "conv", "pool", "flat", "fc"));
  GraphBuilder c;
  const TensorId image = c.conv("conv", c.input("x", {2, 4, 8, 8}), 6, 3);
  const TensorId rows = c.node("Flatten", "flat", {image});
  EXPECT_THAT(ops_of(mapped_with("{\"array\": \"nhwc\"}", c.finish({c.gemm("fc", rows, 10)}))),
              ElementsAre("x.nhwc", "conv", "conv.out.nchw", "flat", "fc"));
  GraphBuilder d;
  const TensorId left = d.input("a", {2, 3, 4, 5}), right = d.input("b", {2, 3, 5, 4});
  EXPECT_THAT(ops_of(mapped_with("{\"array\": \"nhwc\", \"vector_unit\": \"nhwc\"}",
                                 d.finish({d.node("MatMul", "y", {left, right})}))),
              ElementsAre("y"));
}

TEST(ChannelOrder, MistakesSayWhereAndWhatWouldFit) {
  const auto mistakes = [](const std::string& order) {
    std::string text;
    try {
      load_shipped("systolic128_bf16", {"data_layout={\"channel_order\": " + order + "}"});
    } catch (const base::InputError& error) {
      for (const base::Diagnostic& at : error.diagnostics()) text += base::to_string(at) + "\n";
    }
    return text;
  };
  EXPECT_THAT(mistakes("{\"array\": \"chwn\"}"), HasSubstr("nchw, nhwc, nchwc, any"));
  EXPECT_THAT(mistakes("{\"array\": \"nhwc\", \"block\": 8}"),
              HasSubstr("no engine takes blocks of channels"));
  EXPECT_THAT(mistakes("{\"graph\": \"nchwc\"}"), HasSubstr("nchw, nhwc"));
  EXPECT_EQ(mistakes("{\"array\": \"nchwc\", \"block\": 8}"), "");
}

}  // namespace
}  // namespace npusim::npu
