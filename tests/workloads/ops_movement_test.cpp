// SPDX-License-Identifier: Apache-2.0
// Ops that move elements: values at multi-indices written out again here, examples of the ONNX
// specification, and gradients.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "base/error.h"
#include "ops_support.h"

namespace npusim::workloads {
namespace {

using testing::error_of;
using testing::expect_near;
using testing::expect_right_gradients;
using ::testing::HasSubstr;
using testing::integers_tensor;
using testing::ints;
using testing::one;
using testing::random_tensor;
using testing::run_op;
using testing::run_op_outputs;
using testing::typed_tensor;
using Index = std::vector<std::int64_t>;
constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max();

Tensor counted(const Shape& shape) {
  Tensor x(shape);
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] = static_cast<double>(i);
  return x;
}

Tensor indices(const Shape& shape, std::vector<double> values) {
  return typed_tensor(shape, ElementType::int64, std::move(values));
}

double at(const Tensor& x, const Index& index) {
  std::int64_t offset = 0;
  for (std::size_t d = 0; d < index.size(); ++d) offset = offset * x.shape[d] + index[d];
  return x.values.at(static_cast<std::size_t>(offset));
}

/// Expects y to have this shape and the value that `element` gives at every index.
void expect_elements(const Tensor& y, const Shape& shape,
                     const std::function<double(const Index&)>& element) {
  ASSERT_EQ(y.shape, shape);
  Index index(shape.size(), 0);
  for (const double value : y.values) {
    ASSERT_EQ(value, element(index)) << to_string(index);
    for (std::size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

TEST(Expand, Broadcasts) {
  const Tensor x = counted({3, 1});
  expect_elements(run_op("Expand", {x, integers_tensor({2, 1, 4})}), {2, 3, 4},
                  [&](const Index& i) {
                    return at(x, {i[1], 0});
                  });
  expect_right_gradients("Expand", {random_tensor({3, 1}, 1), integers_tensor({2, 3, 2})});
}

TEST(Tile, Repeats) {
  const Tensor x = counted({2, 3});
  expect_elements(run_op("Tile", {x, integers_tensor({2, 2})}), {4, 6}, [&](const Index& i) {
    return at(x, {i[0] % 2, i[1] % 3});
  });
  expect_right_gradients("Tile", {random_tensor({2, 3}, 1), integers_tensor({3, 2})});
  EXPECT_THROW(run_op("Tile", {x, integers_tensor({2})}), base::InputError);
}

TEST(Slice, TakesStepsBothWays) {
  const Tensor x = counted({20, 10, 5});
  const Tensor y = run_op("Slice", {x, integers_tensor({0, 1}), integers_tensor({3, 1000}),
                                    integers_tensor({0, -2}), integers_tensor({1, 3})});
  expect_elements(y, {3, 3, 5}, [&](const Index& i) { return at(x, {i[0], 1 + 3 * i[1], i[2]}); });
  const Tensor back = run_op("Slice", {x, integers_tensor({-1}), integers_tensor({-kFar}),
                                       integers_tensor({0}), integers_tensor({-3})});
  expect_elements(back, {7, 10, 5}, [&](const Index& i) {
    return at(x, {19 - 3 * i[0], i[1], i[2]});
  });
  EXPECT_EQ(run_op("Slice", {x}, {{"starts", ints({4})}, {"ends", ints({2})}}).shape,
            (Shape{0, 10, 5}));
  const Tensor small = random_tensor({4, 5}, 1);
  expect_right_gradients("Slice", {small, integers_tensor({3, 1}), integers_tensor({0, 5}),
                                   integers_tensor({0, 1}), integers_tensor({-2, 3})});
  EXPECT_THROW(run_op("Slice", {small, integers_tensor({0}), integers_tensor({1}),
                                integers_tensor({0}), integers_tensor({0})}),
               base::InputError);
}

TEST(Pad, FillsReflectsRepeatsAndWraps) {
  const Tensor x = counted({2, 3});
  const auto mode = [](const char* name) { return Attributes{{"mode", std::string(name)}}; };
  const Tensor pads = integers_tensor({1, 2, 0, 1});
  const Tensor fill = typed_tensor({}, ElementType::floating, {9});
  expect_near(run_op("Pad", {x, pads, fill}), {3, 6},
              {9, 9, 9, 9, 9, 9, 9, 9, 0, 1, 2, 9, 9, 9, 3, 4, 5, 9}, 0.0);
  expect_near(run_op("Pad", {x, pads}, mode("reflect")), {3, 6},
              {5, 4, 3, 4, 5, 4, 2, 1, 0, 1, 2, 1, 5, 4, 3, 4, 5, 4}, 0.0);
  expect_near(run_op("Pad", {x, pads}, mode("edge")), {3, 6},
              {0, 0, 0, 1, 2, 2, 0, 0, 0, 1, 2, 2, 3, 3, 3, 4, 5, 5}, 0.0);
  expect_near(run_op("Pad", {x, pads}, mode("wrap")), {3, 6},
              {4, 5, 3, 4, 5, 3, 1, 2, 0, 1, 2, 0, 4, 5, 3, 4, 5, 3}, 0.0);
  const Tensor none({0});
  expect_near(run_op("Pad", {x, integers_tensor({-1, 0}), none, integers_tensor({1})}), {2, 2},
              {1, 2, 4, 5}, 0.0);
  for (const char* name : {"constant", "reflect", "edge", "wrap"})
    expect_right_gradients("Pad", {random_tensor({3, 4}, 1), integers_tensor({1, 2, 2, 1})},
                           mode(name));
}

TEST(Trilu, KeepsATriangle) {
  const Tensor x = counted({2, 3, 3});
  for (const std::int64_t k : {-1, 0, 1})
    for (const std::int64_t upper : {0, 1}) {
      const Tensor y =
          run_op("Trilu", {x, indices({}, {static_cast<double>(k)})}, {{"upper", one(upper)}});
      expect_elements(y, x.shape, [&](const Index& i) {
        const bool kept = upper != 0 ? i[2] >= i[1] + k : i[2] <= i[1] + k;
        return kept ? at(x, i) : 0.0;
      });
    }
  expect_right_gradients("Trilu", {random_tensor({3, 4}, 1)});
}

TEST(Compress, KeepsWhatTheConditionNames) {
  const Tensor x = counted({3, 2});
  const Tensor condition = typed_tensor({3}, ElementType::boolean, {0, 1, 1});
  expect_near(run_op("Compress", {x, condition}, {{"axis", one(0)}}), {2, 2}, {2, 3, 4, 5}, 0.0);
  expect_near(run_op("Compress", {x, condition}), {2}, {1, 2}, 0.0);
  expect_right_gradients("Compress", {random_tensor({2, 3}, 1), condition}, {{"axis", one(-1)}});
}

TEST(ReverseSequence, ReversesTheStartOfEachSequence) {
  const Tensor x = counted({4, 4});
  const Tensor lengths = integers_tensor({4, 3, 2, 1});
  expect_near(run_op("ReverseSequence", {x, lengths}), {4, 4},
              {12, 9, 6, 3, 8, 5, 2, 7, 4, 1, 10, 11, 0, 13, 14, 15}, 0.0);
  expect_right_gradients("ReverseSequence",
                         {random_tensor({4, 3, 2}, 1), integers_tensor({4, 2, 1})});
}

TEST(Gather, TakesSlicesAndAddsUpTheirGradients) {
  const Tensor x = counted({3, 4, 2});
  const Tensor at_rows = indices({2, 2}, {0, -1, 2, 2});
  const Tensor y = run_op("Gather", {x, at_rows}, {{"axis", one(1)}});
  const std::vector<std::int64_t> row = {0, 3, 2, 2};
  expect_elements(y, {3, 2, 2, 2}, [&](const Index& i) {
    return at(x, {i[0], row[static_cast<std::size_t>(i[1] * 2 + i[2])], i[3]});
  });
  expect_right_gradients("Gather", {random_tensor({5, 3}, 1), indices({4}, {1, 4, 1, 1})});
  EXPECT_THROW(run_op("Gather", {x, indices({1}, {3})}), base::InputError);
  EXPECT_THROW(run_op("Gather", {x, indices({1}, {-4})}), base::InputError);
}

TEST(GatherElements, TakesOneElementEach) {
  const Tensor x = typed_tensor({3, 3}, ElementType::floating, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  expect_near(run_op("GatherElements", {x, indices({2, 3}, {1, 2, 0, 2, 0, 0})}), {2, 3},
              {4, 8, 3, 7, 2, 3}, 0.0);
  expect_right_gradients("GatherElements",
                         {random_tensor({3, 4}, 1), indices({3, 2}, {0, 0, -1, 2, 1, 1})},
                         {{"axis", one(1)}});
}

TEST(GatherND, TakesTuples) {
  const Tensor x = counted({2, 2, 2});
  expect_near(run_op("GatherND", {x, indices({2, 2}, {0, 1, 1, 0})}), {2, 2}, {2, 3, 4, 5}, 0.0);
  expect_near(run_op("GatherND", {x, indices({2, 1}, {1, 0})}, {{"batch_dims", one(1)}}), {2, 2},
              {2, 3, 4, 5}, 0.0);
  expect_right_gradients("GatherND", {random_tensor({3, 4, 2}, 1), indices({3, 1}, {1, 3, 1})},
                         {{"batch_dims", one(1)}});
}

TEST(DepthToSpace, UndoesSpaceToDepth) {
  const Tensor x = counted({1, 8, 2, 3});
  const Tensor dcr = run_op("DepthToSpace", {x}, {{"blocksize", one(2)}});
  expect_elements(dcr, {1, 2, 4, 6}, [&](const Index& i) {
    return at(x, {0, (i[2] % 2 * 2 + i[3] % 2) * 2 + i[1], i[2] / 2, i[3] / 2});
  });
  const Tensor crd =
      run_op("DepthToSpace", {x}, {{"blocksize", one(2)}, {"mode", std::string("CRD")}});
  expect_elements(crd, {1, 2, 4, 6}, [&](const Index& i) {
    return at(x, {0, i[1] * 4 + i[2] % 2 * 2 + i[3] % 2, i[2] / 2, i[3] / 2});
  });
  expect_near(run_op("SpaceToDepth", {dcr}, {{"blocksize", one(2)}}), x.shape, x.values, 0.0);
  expect_right_gradients("DepthToSpace", {random_tensor({1, 4, 2, 1}, 1)}, {{"blocksize", one(2)}});
  expect_right_gradients("SpaceToDepth", {random_tensor({2, 1, 4, 2}, 1)}, {{"blocksize", one(2)}});
}

TEST(ScatterElements, WritesAddsAndMultiplies) {
  const Tensor x = typed_tensor({1, 5}, ElementType::floating, {1, 2, 3, 4, 5});
  const Tensor to = indices({1, 2}, {1, -2});
  const Tensor updates = typed_tensor({1, 2}, ElementType::floating, {1.5, 2.5});
  const auto with = [](const char* reduction) {
    return Attributes{{"axis", one(1)}, {"reduction", std::string(reduction)}};
  };
  const auto expect = [&](const char* reduction, double a, double b) {
    expect_near(run_op("ScatterElements", {x, to, updates}, with(reduction)), {1, 5},
                {1, a, 3, b, 5}, 0.0);
  };
  expect("none", 1.5, 2.5);
  expect("add", 3.5, 6.5);
  expect("mul", 3, 10);
  expect("max", 2, 4);
  expect("min", 1.5, 2.5);
  expect_near(run_op("Scatter", {x, to, updates}, {{"axis", one(1)}}), {1, 5}, {1, 1.5, 3, 2.5, 5},
              0.0);
  expect_right_gradients(
      "ScatterElements",
      {random_tensor({3, 4}, 1), indices({2, 2}, {2, 0, 0, 1}), random_tensor({2, 2}, 2)});
  expect_right_gradients(
      "ScatterElements",
      {random_tensor({3, 4}, 1), indices({2, 2}, {2, 0, 2, 1}), random_tensor({2, 2}, 2)},
      {{"reduction", std::string("add")}});
}

TEST(ScatterND, WritesSlices) {
  const Tensor x = counted({4, 2});
  const Tensor to = indices({2, 1}, {3, 0});
  const Tensor updates = typed_tensor({2, 2}, ElementType::floating, {10, 11, 12, 13});
  expect_near(run_op("ScatterND", {x, to, updates}), {4, 2}, {12, 13, 2, 3, 4, 5, 10, 11}, 0.0);
  for (const char* reduction : {"none", "add"})
    expect_right_gradients("ScatterND", {random_tensor({4, 2}, 1), to, random_tensor({2, 2}, 2)},
                           {{"reduction", std::string(reduction)}});
  EXPECT_THAT(error_of("ScatterND", {{4, 2}, {2, 3}, {2}}), HasSubstr("longer than"));
}

TEST(TensorScatter, WritesIntoTheCache) {
  const Tensor cache = counted({2, 4, 1});
  const Tensor update = typed_tensor({2, 2, 1}, ElementType::floating, {10, 11, 12, 13});
  const Tensor from = integers_tensor({1, 3});
  EXPECT_THROW(run_op("TensorScatter", {cache, update, from}), base::InputError);
  expect_near(run_op("TensorScatter", {cache, update, from}, {{"mode", std::string("circular")}}),
              {2, 4, 1}, {0, 10, 11, 3, 13, 5, 6, 12}, 0.0);
  expect_near(run_op("TensorScatter", {cache, update}), {2, 4, 1}, {10, 11, 2, 3, 12, 13, 6, 7},
              0.0);
}

TEST(Concat, JoinsAndSplitCuts) {
  const Tensor a = counted({2, 1, 2});
  const Tensor b = counted({2, 3, 2});
  const Tensor y = run_op("Concat", {a, b}, {{"axis", one(-2)}});
  expect_elements(y, {2, 4, 2}, [&](const Index& i) {
    return i[1] < 1 ? at(a, i) : at(b, {i[0], i[1] - 1, i[2]});
  });
  const std::vector<Tensor> parts =
      run_op_outputs("Split", {y, integers_tensor({1, 3})}, {{"axis", one(1)}}, 2);
  expect_near(parts[0], a.shape, a.values, 0.0);
  expect_near(parts[1], b.shape, b.values, 0.0);
  const std::vector<Tensor> uneven = run_op_outputs("Split", {counted({7})}, {}, 3);
  expect_near(uneven[2], {1}, {6}, 0.0);
  expect_right_gradients("Split", {random_tensor({5, 2}, 3)}, {}, 2);
  EXPECT_THROW(run_op_outputs("Split", {y}, {{"split", ints({1, 2})}}, 2), base::InputError);
  expect_right_gradients("Concat", {random_tensor({2, 3}, 1), random_tensor({2, 2}, 2)},
                         {{"axis", one(1)}});
}

}  // namespace
}  // namespace npusim::workloads
