// SPDX-License-Identifier: Apache-2.0
// Resize, NonMaxSuppression, RoiAlign, and the optimizers of ai.onnx.preview.training.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "ops_support.h"

namespace npusim::workloads {
namespace {

using testing::expect_near;
using testing::expect_right_gradients;
using testing::integers_tensor;
using testing::one;
using testing::random_tensor;
using testing::run_op;
using testing::run_op_outputs;
using testing::typed_tensor;

Tensor floats(const Shape& shape, std::vector<double> values) {
  return typed_tensor(shape, ElementType::floating, std::move(values));
}
Tensor number(double value) {
  return floats({}, {value});
}
Attributes modes(const char* mode, const char* coordinates, const char* nearest = "floor") {
  return {{"mode", std::string(mode)},
          {"coordinate_transformation_mode", std::string(coordinates)},
          {"nearest_mode", std::string(nearest)}};
}
const Tensor kNone({0});

// Expected values: the worked examples of ONNX's operator page.
TEST(Resize, EqualsThePublishedExamples) {
  const Tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  const Tensor twice = floats({4}, {1, 1, 2, 2});
  expect_near(run_op("Resize", {x, kNone, twice}, modes("linear", "half_pixel")), {1, 1, 4, 4},
              {1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4},
              1e-14);
  expect_near(run_op("Resize", {x, kNone, twice}, modes("linear", "align_corners")), {1, 1, 4, 4},
              {1, 4.0 / 3, 5.0 / 3, 2, 5.0 / 3, 2, 7.0 / 3, 8.0 / 3, 7.0 / 3, 8.0 / 3, 3, 10.0 / 3,
               3, 10.0 / 3, 11.0 / 3, 4},
              1e-14);
  const Tensor sizes = integers_tensor({1, 1, 4, 6});
  expect_near(run_op("Resize", {x, kNone, kNone, sizes}, modes("nearest", "asymmetric")),
              {1, 1, 4, 6},
              {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4}, 0.0);
  const Tensor wide = floats({1, 1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  expect_near(
      run_op("Resize", {wide, kNone, floats({4}, {1, 1, 0.6, 0.6})}, modes("linear", "half_pixel")),
      {1, 1, 1, 2}, {8.0 / 3, 13.0 / 3}, 1e-6);
}

TEST(Resize, UpsampleRepeats) {
  const Tensor x = floats({1, 1, 1, 2}, {1, 2});
  expect_near(run_op("Upsample", {x, floats({4}, {1, 1, 2, 3})}), {1, 1, 2, 6},
              {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2}, 0.0);
}

TEST(Resize, GradientsAreRight) {
  const Tensor x = random_tensor({1, 2, 3, 4}, 1);
  for (const char* mode : {"nearest", "linear", "cubic"})
    for (const char* coordinates : {"half_pixel", "align_corners", "asymmetric"}) {
      SCOPED_TRACE(std::string(mode) + coordinates);
      expect_right_gradients("Resize", {x, kNone, kNone, integers_tensor({1, 2, 5, 3})},
                             modes(mode, coordinates));
    }
}

TEST(Resize, WantsEitherScalesOrSizes) {
  const Tensor x = random_tensor({1, 1, 2, 2}, 1);
  EXPECT_THROW(run_op("Resize", {x}), base::InputError);
  EXPECT_THROW(run_op("Resize", {x, kNone, floats({4}, {1, 1, 2, -1})}), base::InputError);
}

TEST(NonMaxSuppression, DropsWhatOverlaps) {
  const Tensor boxes = floats({1, 6, 4}, {0, 0,  1, 1,  0, 0.1,  1, 1.1,  0, -0.1, 1, 0.9,
                                          0, 10, 1, 11, 0, 10.1, 1, 11.1, 0, 100,  1, 101});
  const Tensor scores = floats({1, 1, 6}, {0.9, 0.75, 0.6, 0.95, 0.5, 0.3});
  const auto run = [&](std::int64_t most, double iou, double least) {
    return run_op("NonMaxSuppression",
                  {boxes, scores, integers_tensor({most}), number(iou), number(least)});
  };
  expect_near(run(3, 0.5, 0.0), {3, 3}, {0, 0, 3, 0, 0, 0, 0, 0, 5}, 0.0);
  expect_near(run(3, 0.5, 0.4), {2, 3}, {0, 0, 3, 0, 0, 0}, 0.0);
  expect_near(run(2, 0.5, 0.0), {2, 3}, {0, 0, 3, 0, 0, 0}, 0.0);
}

TEST(NonMaxSuppression, HasRoomForAllWhereValuesAreNotKnown) {
  Graph graph;
  std::vector<TensorId> ids;
  for (const auto& [name, shape] :
       {std::pair<const char*, Shape>{"boxes", {1, 2, 4}}, {"scores", {1, 1, 2}}}) {
    TensorInfo info;
    info.name = name;
    info.shape = shape;
    ids.push_back(graph.add_tensor(std::move(info)));
  }
  ids.push_back(graph.add_node("Constant", "most", {}, {{"value_int", one(5)}}, {"most"})[0]);
  const TensorId kept = graph.add_node("NonMaxSuppression", "nms", ids, {}, {"kept"})[0];
  EXPECT_EQ(graph.tensor(kept).shape, (Shape{2, 3}));
  std::vector<Tensor> values = {floats({1, 2, 4}, {0, 0, 1, 1, 0, 0, 1, 1}),
                                floats({1, 1, 2}, {0.5, 0.9})};
  const std::vector<Tensor> result = testing::evaluate(graph, values, {});
  expect_near(result[static_cast<std::size_t>(kept)], {2, 3}, {0, 0, 1, -1, -1, -1}, 0.0);
}

TEST(RoiAlign, InterpolatesAtTheCentresOfItsSamples) {
  // x = row * 10 + column is linear, so that samples inside equal it at their position.
  Tensor x({1, 1, 8, 8});
  for (std::size_t i = 0; i < 64; ++i) x.values[i] = static_cast<double>(i / 8 * 10 + i % 8);
  const Tensor rois = floats({1, 4}, {1, 2, 5, 6});
  const Tensor batch = integers_tensor({0});
  const Tensor y =
      run_op("RoiAlign", {x, rois, batch}, {{"output_height", one(2)}, {"output_width", one(2)}});
  // bins of 2 x 2 from (1.5, 0.5): centres at rows 2.5, 4.5 and columns 1.5, 3.5
  expect_near(y, {1, 1, 2, 2}, {26.5, 28.5, 46.5, 48.5}, 1e-13);
  const Attributes bins = {
      {"output_height", one(2)}, {"output_width", one(3)}, {"sampling_ratio", one(2)}};
  const Tensor small = random_tensor({2, 2, 5, 5}, 1);
  const Tensor two = floats({2, 4}, {0, 0, 4, 3, 1, 1, 3, 4});
  Graph graph = testing::one_node("RoiAlign", {small, two, integers_tensor({0, 1})}, bins);
  const auto sum = [&](const Tensor& image) {
    const Tensor out = run_op("RoiAlign", {image, two, integers_tensor({0, 1})}, bins);
    double total = 0.0;
    for (std::size_t i = 0; i < out.values.size(); ++i)
      total += out.values[i] * static_cast<double>(i + 1);
    return total;
  };
  Tensor dy({2, 2, 2, 3});
  for (std::size_t i = 0; i < dy.values.size(); ++i) dy.values[i] = static_cast<double>(i + 1);
  Attributes attributes = bins;
  attributes["x_shape"] = small.shape;
  const Tensor dx = run_op("RoiAlignGradient", {dy, two, integers_tensor({0, 1})}, attributes);
  for (std::size_t i = 0; i < small.values.size(); ++i) {
    Tensor up = small, down = small;
    up.values[i] += 0.5;
    down.values[i] -= 0.5;
    ASSERT_NEAR(dx.values[i], sum(up) - sum(down), 1e-10) << i;
  }
}

TEST(Momentum, FollowsItsFormula) {
  const Attributes attributes = {
      {"alpha", 0.9}, {"beta", 0.5}, {"norm_coefficient", 0.1}, {"mode", std::string("standard")}};
  const Tensor x = floats({2}, {1, 2}), g = floats({2}, {-1, 3}), v = floats({2}, {2, 1});
  const std::vector<Tensor> y =
      run_op_outputs("Momentum", {number(0.1), integers_tensor({1}), x, g, v}, attributes, 2);
  for (std::size_t i = 0; i < 2; ++i) {
    const double gradient = g.values[i] + 0.1 * x.values[i];
    const double momentum = 0.9 * v.values[i] + 0.5 * gradient;
    EXPECT_NEAR(y[1].values[i], momentum, 1e-15);
    EXPECT_NEAR(y[0].values[i], x.values[i] - 0.1 * momentum, 1e-15);
  }
  Attributes nesterov = attributes;
  nesterov["mode"] = std::string("nesterov");
  const std::vector<Tensor> n =
      run_op_outputs("Momentum", {number(0.1), integers_tensor({0}), x, g, v}, nesterov, 2);
  const double gradient = -1 + 0.1, momentum = 0.9 * 2 + gradient;  // T = 0: beta is 1
  EXPECT_NEAR(n[0].values[0], 1 - 0.1 * (gradient + 0.9 * momentum), 1e-15);
}

TEST(Adam, FollowsItsFormulaForSeveralWeights) {
  const Tensor a = floats({1}, {1.2}), b = floats({2}, {1, 2});
  const Tensor ga = floats({1}, {-0.9}), gb = floats({2}, {0.5, -3});
  const Tensor va = floats({1}, {1.7}), vb = floats({2}, {4, 1});
  const Tensor ha = floats({1}, {0.1}), hb = floats({2}, {1, 10});
  const std::vector<Tensor> y = run_op_outputs(
      "Adam", {number(0.1), integers_tensor({3}), a, b, ga, gb, va, vb, ha, hb},
      {{"alpha", 0.9}, {"beta", 0.8}, {"epsilon", 1e-3}, {"norm_coefficient_post", 0.01}}, 6);
  const double rate = 0.1 * std::sqrt(1 - std::pow(0.8, 3)) / (1 - std::pow(0.9, 3));
  const double v = 0.9 * 1 + 0.1 * -3, h = 0.8 * 10 + 0.2 * 9;
  EXPECT_NEAR(y[3].values[1], v, 1e-14);
  EXPECT_NEAR(y[5].values[1], h, 1e-14);
  EXPECT_NEAR(y[1].values[1], 0.99 * (2 - rate * v / (std::sqrt(h) + 1e-3)), 1e-14);
}

TEST(Adam, WantsItsEpsilon) {
  const Tensor w = floats({1}, {1});
  EXPECT_THROW(run_op_outputs("Adam", {number(0.1), integers_tensor({3}), w, w, w, w}, {}, 3),
               base::InputError);
}

TEST(Adagrad, FollowsItsFormula) {
  const std::vector<Tensor> y = run_op_outputs(
      "Adagrad",
      {number(0.1), integers_tensor({2}), floats({1}, {1}), floats({1}, {-1}), floats({1}, {2})},
      {{"decay_factor", 0.1}, {"epsilon", 1e-5}, {"norm_coefficient", 0.001}}, 2);
  const double g = -1 + 0.001, h = 2 + g * g;
  EXPECT_NEAR(y[1].values[0], h, 1e-15);
  EXPECT_NEAR(y[0].values[0], 1 - 0.1 / 1.2 * g / (std::sqrt(h) + 1e-5), 1e-15);
}

}  // namespace
}  // namespace npusim::workloads
