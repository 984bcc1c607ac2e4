// SPDX-License-Identifier: Apache-2.0
// Values that are known when a graph is built, and the ops whose shapes depend on them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "ops_support.h"
#include "workloads/constants.h"
#include "workloads/graph_copy.h"

namespace npusim::workloads {
namespace {

using testing::expect_near;
using testing::expect_right_gradients;
using ::testing::HasSubstr;
using testing::integers_tensor;
using testing::ints;
using testing::one;
using testing::random_tensor;
using testing::run_op;
using testing::typed_tensor;

TensorId add(Graph& graph, const std::string& op, std::vector<TensorId> inputs,
             Attributes attributes = {}) {
  const std::string name = op + std::to_string(graph.nodes.size());
  return graph.add_node(op, name, std::move(inputs), std::move(attributes), {name + ".out"})[0];
}

TensorId input(Graph& graph, const Shape& shape, const std::string& format = "") {
  TensorInfo info;
  info.name = "x" + std::to_string(graph.tensors.size());
  info.shape = shape;
  info.role = TensorRole::input;
  info.format = format;
  return graph.add_tensor(std::move(info));
}

TEST(KnownValues, ReshapeFollowsTheShapeOfAnotherTensor) {
  Graph graph;
  const TensorId x = input(graph, {6, 4});
  const TensorId like = input(graph, {2, 3, 4});
  const TensorId shape = add(graph, "Shape", {like});
  const TensorId y = add(graph, "Reshape", {x, shape});
  EXPECT_EQ(graph.tensor(y).shape, (Shape{2, 3, 4}));
  ASSERT_TRUE(graph.tensor(shape).known);
  EXPECT_EQ(graph.tensor(shape).known->values, (std::vector<double>{2, 3, 4}));
  EXPECT_FALSE(graph.tensor(y).known);
}

TEST(KnownValues, FollowThroughCastsAndArithmetic) {
  Graph graph;
  const TensorId x = input(graph, {6, 4});
  const TensorId count = add(graph, "Size", {x});
  const TensorId four = add(graph, "Constant", {}, {{"value_int", one(4)}});
  const TensorId rows = add(graph, "Div", {count, four});
  const TensorId shape = add(graph, "Unsqueeze", {rows}, {{"axes", ints({0})}});
  const TensorId y = add(graph, "ConstantOfShape", {shape}, {{"value", 2.5}});
  EXPECT_EQ(graph.tensor(y).shape, Shape{6});
  ASSERT_TRUE(graph.tensor(y).known);
  EXPECT_EQ(graph.tensor(y).known->values, std::vector<double>(6, 2.5));
}

TEST(KnownValues, StayWithACopyOfTheGraph) {
  Graph graph;
  const TensorId x = input(graph, {6, 4});
  const TensorId shape = add(graph, "Constant", {}, {{"value_ints", ints({-1, 3})}});
  const TensorId y = add(graph, "Reshape", {x, shape});
  Graph target;
  GraphCopy copy(graph, target);
  copy.tensor(x);
  copy.tensor(shape);  // without the node that wrote it
  copy.node(graph.nodes[1]);
  EXPECT_EQ(target.tensor(copy.of(y)).shape, (Shape{8, 3}));
}

TEST(KnownValues, AreRoundedAsTheModelStoresThem) {
  Graph graph;
  const TensorId third = add(graph, "Constant", {}, {{"value_float", 1.0 / 3.0}});
  EXPECT_EQ(graph.tensor(third).known->values[0], static_cast<double>(1.0F / 3.0F));
  const TensorId half = add(graph, "Cast", {third}, {{"to", one(10)}});
  EXPECT_EQ(graph.tensor(half).format, "fp16");
  EXPECT_EQ(graph.tensor(half).known->values[0], 0x1.554p-2);
  const TensorId integer = add(graph, "Cast", {third}, {{"to", one(6)}});
  EXPECT_EQ(graph.tensor(integer).type, ElementType::int32);
}

TEST(KnownValues, UnknownOnesAreRefusedWhereAShapeNeedsThem) {
  Graph graph;
  const TensorId x = input(graph, {6, 4});
  TensorInfo info;
  info.name = "shape";
  info.shape = {2};
  info.type = ElementType::int64;
  const TensorId shape = graph.add_tensor(std::move(info));
  try {
    add(graph, "Reshape", {x, shape});
    FAIL();
  } catch (const base::InputError& error) {
    EXPECT_EQ(error.diagnostics().front().code, "not-constant");
    EXPECT_THAT(error.what(), HasSubstr("input 1 (shape)"));
  }
}

TEST(KnownValues, LargeTensorsAreNotHeld) {
  Graph graph;
  const TensorId shape = add(graph, "Constant", {}, {{"value_int", one(kMostKnownElements + 1)}});
  const TensorId row = add(graph, "Unsqueeze", {shape}, {{"axes", ints({0})}});
  EXPECT_FALSE(graph.tensor(add(graph, "ConstantOfShape", {row})).known);
}

TEST(KnownValues, TrainedConstantsAreNot) {
  Graph graph;
  for (const TensorRole role : {TensorRole::weight, TensorRole::statistics}) {
    const TensorId id = input(graph, {3});
    graph.tensors[static_cast<std::size_t>(id)].role = role;
    graph.tensors[static_cast<std::size_t>(id)].initializer = Initializer{};
    EXPECT_EQ(graph.tensor(add(graph, "Neg", {id})).known != nullptr, role != TensorRole::weight);
  }
}

TEST(DeclaredFormats, FollowTheFirstInputThatDeclaresOne) {
  Graph graph;
  const TensorId half = input(graph, {2}, "fp16");
  EXPECT_EQ(graph.tensor(add(graph, "Neg", {half})).format, "fp16");
  EXPECT_EQ(graph.tensor(add(graph, "Cast", {half}, {{"to", one(1)}})).format, "fp32");
  EXPECT_EQ(graph.tensor(add(graph, "Cast", {half}, {{"to", one(7)}})).format, "");
  EXPECT_EQ(graph.tensor(add(graph, "CastLike", {half, input(graph, {2})})).format, "fp32");
}

TEST(Reshape, ResolvesZeroAndMinusOne) {
  const Tensor x = random_tensor({2, 3, 4}, 1);
  expect_near(run_op("Reshape", {x, integers_tensor({0, -1})}), {2, 12}, x.values, 0.0);
  expect_near(run_op("Reshape", {x}, {{"shape", ints({4, 0, 2})}}), {4, 3, 2}, x.values, 0.0);
  EXPECT_THROW(run_op("Reshape", {x, integers_tensor({5, -1})}), base::InputError);
  EXPECT_THROW(run_op("Reshape", {x, integers_tensor({-1, -1})}), base::InputError);
  expect_right_gradients("Reshape", {x, integers_tensor({4, 6})});
}

TEST(Squeeze, DropsAndUnsqueezeInserts) {
  const Tensor x = random_tensor({1, 3, 1, 2}, 1);
  EXPECT_EQ(run_op("Squeeze", {x}).shape, (Shape{3, 2}));
  EXPECT_EQ(run_op("Squeeze", {x, integers_tensor({-2})}).shape, (Shape{1, 3, 2}));
  EXPECT_EQ(run_op("Unsqueeze", {x, integers_tensor({0, -1})}).shape, (Shape{1, 1, 3, 1, 2, 1}));
  EXPECT_THROW(run_op("Squeeze", {x, integers_tensor({1})}), base::InputError);
  EXPECT_THROW(run_op("Unsqueeze", {x, integers_tensor({1, 1})}), base::InputError);
  expect_right_gradients("Squeeze", {x});
  expect_right_gradients("Unsqueeze", {x, integers_tensor({2})});
}

TEST(Range, CountsBothWays) {
  const auto number = [](double value) { return typed_tensor({}, ElementType::floating, {value}); };
  expect_near(run_op("Range", {number(1), number(5), number(2)}), {2}, {1, 3}, 0.0);
  const auto integer = [](double value) { return typed_tensor({}, ElementType::int32, {value}); };
  const Tensor down = run_op("Range", {integer(10), integer(6), integer(-3)});
  EXPECT_EQ(down.type, ElementType::int32);
  expect_near(down, {2}, {10, 7}, 0.0);
}

TEST(EyeLike, HasOnesOnItsDiagonal) {
  const Tensor y =
      run_op("EyeLike", {random_tensor({2, 3}, 1)}, {{"k", one(1)}, {"dtype", one(6)}});
  EXPECT_EQ(y.type, ElementType::int32);
  expect_near(y, {2, 3}, {0, 1, 0, 0, 0, 1}, 0.0);
}

TEST(Shape, TakesARange) {
  const Tensor x({2, 3, 4});
  expect_near(run_op("Shape", {x}, {{"start", one(-2)}}), {2}, {3, 4}, 0.0);
  expect_near(run_op("Shape", {x}, {{"end", one(-1)}}), {2}, {2, 3}, 0.0);
}

}  // namespace
}  // namespace npusim::workloads
