// SPDX-License-Identifier: Apache-2.0
// Which images change the order of their channels between ops, by hand on small graphs.
#include "npu_models/channel_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graphs.h"
#include "npu_models/mapping.h"
#include "support.h"
#include "tests/npu_models/random.h"

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

/// Names of what is fused, in the order in which it runs.
std::vector<std::string> fused_in(const MappedGraph& mapped) {
  std::vector<std::string> names;
  for (const MappedOp& op : mapped.ops)
    for (const int node : op.epilogue)
      names.push_back(mapped.graph.nodes[static_cast<std::size_t>(node)].name);
  return names;
}

TEST(ChannelOrder, WhatIsFusedTakesTheOrderThatLeavesTheArray) {
  // the sum names the pooled image first, which the vector unit left in its own order
  GraphBuilder b;
  const TensorId x = b.input("x", {1, 4, 8, 8});
  const TensorId pooled = b.node("MaxPool", "pool", {x}, {{"kernel_shape", Integers{1, 1}}});
  const TensorId sum = b.node("Add", "sum", {pooled, b.conv("conv", x, 4, 1)});
  const MappedGraph mapped =
      mapped_with("{\"array\": \"any\", \"vector_unit\": \"nhwc\"}", b.finish({sum}));
  EXPECT_THAT(ops_of(mapped), ElementsAre("x.nhwc", "pool", "pool.out.nchw", "conv"));
  EXPECT_THAT(fused_in(mapped), ElementsAre("sum"));
}

TEST(ChannelOrder, WhatAnEpilogueWroteIsChangedBeforeTheNextProduct) {
  // first and relu leave nchw, which the sum behind second wants in nhwc; relu stands behind second
  GraphBuilder b;
  const TensorId x = b.input("x", {1, 4, 8, 8});
  const TensorId pooled = b.node("MaxPool", "pool", {x}, {{"kernel_shape", Integers{1, 1}}});
  const TensorId first = b.conv("first", x, 4, 1), second = b.conv("second", pooled, 4, 1);
  const TensorId relu = b.node("Relu", "relu", {first});
  const MappedGraph mapped = mapped_with("{\"array\": \"any\", \"vector_unit\": \"nhwc\"}",
                                         b.finish({b.node("Add", "sum", {relu, second})}));
  EXPECT_THAT(ops_of(mapped),
              ElementsAre("x.nhwc", "pool", "first", "relu.out.nhwc", "second", "sum.out.nchw"));
  EXPECT_THAT(fused_in(mapped), ElementsAre("relu", "sum"));
}

/// Convolutions, pools and element-wise ops over images of one size.
Graph random_network(testing::Random& random) {
  GraphBuilder b;
  std::vector<TensorId> images = {b.input("x", {1, 4, 6, 6})};
  const auto any = [&] {
    return images[static_cast<std::size_t>(
        random.in(0, static_cast<std::int64_t>(images.size()) - 1))];
  };
  for (int i = 0; i < 12; ++i) {
    const std::string name = "n" + std::to_string(i);
    switch (random.in(0, 4)) {
      case 0:
      case 1:
        images.push_back(b.conv(name, any(), 4, random.of({1, 3})));
        break;
      case 2:
        images.push_back(b.node("MaxPool", name, {any()}, {{"kernel_shape", Integers{1, 1}}}));
        break;
      case 3:
        images.push_back(b.node("Relu", name, {any()}));
        break;
      default:
        images.push_back(b.node("Add", name, {any(), images.back()}));
    }
  }
  return b.finish({images.back(), any()});
}

TEST(ChannelOrder, TheSameOpsAreFusedWhateverTheOrders) {
  testing::Random random(5);
  std::size_t fused = 0;
  for (int i = 0; i < 150; ++i) {
    SCOPED_TRACE("case " + std::to_string(i));
    const Graph graph = random_network(random);
    const std::string block = random.of({", \"block\": 4", ", \"block\": 16"});
    const std::string array = random.of({"any", "nchw", "nhwc", "nchwc"});
    const std::string vector = random.of({"any", "nchw", "nhwc", "nchwc"});
    const std::string order = "{\"array\": \"" + array + "\", \"vector_unit\": \"" + vector + "\"" +
                              (array == "nchwc" || vector == "nchwc" ? block : "") +
                              ", \"graph\": \"" + random.of({"nchw", "nhwc"}) + "\"}";
    const std::vector<std::string> plain = fused_in(mapped_with("{}", graph));
    EXPECT_EQ(fused_in(mapped_with(order, graph)), plain) << order;
    fused += plain.size();
  }
  EXPECT_GT(fused, 100U);
}

TEST(ChannelOrder, OrdersOfTheSameBytesAreOneChange) {
  GraphBuilder b;
  const TensorId x = b.input("x", {1, 16, 8, 8});
  const TensorId pooled = b.node("MaxPool", "pool", {x}, {{"kernel_shape", Integers{2, 2}}});
  // 16 channels are one block: the array's blocks are the vector unit's nhwc
  EXPECT_THAT(ops_of(mapped_with("{\"array\": \"nchwc\", \"block\": 16, \"vector_unit\": \"nhwc\"}",
                                 b.finish({b.conv("conv", x, 16, 3), pooled}))),
              ElementsAre("x.nhwc", "pool", "pool.out.nchw", "conv", "conv.out.nchw"));
}

TEST(ChannelOrder, FilledPhasesAreWrittenAsTheImageIs) {
  GraphBuilder b;
  const TensorId x = b.input("x", {1, 4, 6, 6});
  const TensorId w = b.input("w", {4, 6, 1, 1}, workloads::TensorRole::weight);
  const TensorId pooled = b.node("MaxPool", "pool", {x}, {{"kernel_shape", Integers{1, 1}}});
  const Graph graph =
      b.finish({b.node("ConvTranspose", "up", {pooled, w}, {{"strides", Integers{2, 2}}})});
  const auto changes = [&](const std::string& order) {
    std::vector<std::string> names;
    for (const std::string& op : ops_of(map_graph(
             load_shipped("systolic128_bf16", {"data_layout={\"zero_insertion\": \"skip\", "
                                               "\"channel_order\": " +
                                               order + "}"}),
             graph, uniform_recipe(precision::bf16()))))
      if (op.rfind(".nchw") != std::string::npos || op.rfind(".nhwc") != std::string::npos)
        names.push_back(op);
    return names;
  };
  EXPECT_THAT(changes("{\"array\": \"nhwc\", \"vector_unit\": \"nchw\"}"),
              ElementsAre("pool.out.nhwc", "up.out.nchw"));
  EXPECT_THAT(changes("{\"array\": \"any\", \"vector_unit\": \"nhwc\"}"),
              ElementsAre("x.nhwc", "up.out.nchw"));
}

TEST(ChannelOrder, StandInsAreThoseOfTheSameOps) {
  const auto stand_ins = [](const std::string& layout) {
    NpuSpec npu = load_shipped("systolic_32x32_fp16", {"data_layout=" + layout});
    npu.what_if = true;
    const MappedGraph mapped = map_graph(npu, chain(), uniform_recipe(precision::bf16()));
    std::vector<std::string> names;
    for (const auto& [node, formats] : mapped.stand_ins)
      names.push_back(mapped.graph.nodes[static_cast<std::size_t>(node)].name);
    return names;
  };
  EXPECT_THAT(stand_ins("{}"), ElementsAre("first", "second"));
  EXPECT_THAT(stand_ins("{\"channel_order\": {\"array\": \"nhwc\"}}"),
              ElementsAre("first", "second"));
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
