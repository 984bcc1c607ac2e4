// SPDX-License-Identifier: Apache-2.0
// ConvTranspose by scattering each input pixel; global and Lp pools, MaxUnpool, Dropout.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "ops_support.h"

namespace npusim::workloads {
namespace {

using testing::contraction_of;
using testing::error_of;
using testing::expect_near;
using testing::expect_right_gradients;
using ::testing::HasSubstr;
using testing::ints;
using testing::one;
using testing::random_tensor;
using testing::run_op;
using testing::run_op_outputs;
using testing::typed_tensor;

struct Case {
  Shape x, w;
  std::int64_t group;
  std::int64_t stride[2], dilation[2], begin[2], end[2], extra[2];
};

std::vector<Case> cases() {
  return {{{1, 1, 3, 3}, {1, 2, 3, 3}, 1, {1, 1}, {1, 1}, {0, 0}, {0, 0}, {0, 0}},
          {{2, 4, 3, 2}, {4, 2, 3, 2}, 2, {3, 2}, {1, 1}, {1, 0}, {0, 1}, {2, 1}},
          {{1, 2, 4, 3}, {2, 3, 2, 3}, 1, {2, 1}, {2, 2}, {1, 2}, {0, 1}, {1, 0}}};
}

Attributes attributes_of(const Case& c) {
  return {{"group", one(c.group)},
          {"strides", ints({c.stride[0], c.stride[1]})},
          {"dilations", ints({c.dilation[0], c.dilation[1]})},
          {"pads", ints({c.begin[0], c.begin[1], c.end[0], c.end[1]})},
          {"output_padding", ints({c.extra[0], c.extra[1]})}};
}

std::int64_t extent(const Case& c, std::size_t d) {
  return c.stride[d] * (c.x[d + 2] - 1) + c.extra[d] + (c.w[d + 2] - 1) * c.dilation[d] + 1 -
         c.begin[d] - c.end[d];
}

Tensor scattered(const Case& c, const Tensor& x, const Tensor& w, const Tensor& bias) {
  const std::int64_t outputs = c.w[1];
  Tensor y({c.x[0], outputs * c.group, extent(c, 0), extent(c, 1)});
  const auto at = [](const Shape& s, std::int64_t a, std::int64_t b, std::int64_t i,
                     std::int64_t j) {
    return static_cast<std::size_t>(((a * s[1] + b) * s[2] + i) * s[3] + j);
  };
  for (std::size_t i = 0; i < y.values.size(); ++i)
    y.values[i] = bias.values[i / static_cast<std::size_t>(y.shape[2] * y.shape[3]) %
                              static_cast<std::size_t>(y.shape[1])];
  for (std::int64_t n = 0; n < c.x[0]; ++n)
    for (std::int64_t k = 0; k < c.x[1]; ++k)
      for (std::int64_t i = 0; i < c.x[2]; ++i)
        for (std::int64_t j = 0; j < c.x[3]; ++j)
          for (std::int64_t m = 0; m < outputs; ++m)
            for (std::int64_t r = 0; r < c.w[2]; ++r)
              for (std::int64_t s = 0; s < c.w[3]; ++s) {
                const std::int64_t row = i * c.stride[0] + r * c.dilation[0] - c.begin[0];
                const std::int64_t column = j * c.stride[1] + s * c.dilation[1] - c.begin[1];
                if (row < 0 || column < 0 || row >= y.shape[2] || column >= y.shape[3]) continue;
                const std::int64_t channel = k / (c.x[1] / c.group) * outputs + m;
                y.values[at(y.shape, n, channel, row, column)] +=
                    x.values[at(c.x, n, k, i, j)] * w.values[at(c.w, k, m, r, s)];
              }
  return y;
}

TEST(ConvTranspose, ScattersEachPixel) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(to_string(c.x));
    const Tensor x = random_tensor(c.x, 1), w = random_tensor(c.w, 2);
    const Tensor bias = random_tensor({c.w[1] * c.group}, 3);
    const Tensor expected = scattered(c, x, w, bias);
    expect_near(run_op("ConvTranspose", {x, w, bias}, attributes_of(c)), expected.shape,
                expected.values, 1e-14);
    expect_right_gradients("ConvTranspose", {x, w, bias}, attributes_of(c));
  }
}

TEST(ConvTranspose, WorksInOneAndThreeDimensions) {
  const Tensor x = typed_tensor({1, 1, 3}, ElementType::floating, {0, 1, 2});
  const Tensor w = typed_tensor({1, 1, 3}, ElementType::floating, {1, 1, 1});
  expect_near(run_op("ConvTranspose", {x, w}), {1, 1, 5}, {0, 1, 3, 3, 2}, 0.0);
  expect_right_gradients("ConvTranspose",
                         {random_tensor({1, 2, 2, 2, 2}, 1), random_tensor({2, 1, 2, 1, 2}, 2)},
                         {{"strides", ints({2, 1, 2})}});
}

TEST(ConvTranspose, PadsFollowFromGivenExtents) {
  const Tensor x = random_tensor({1, 1, 3, 3}, 1), w = random_tensor({1, 2, 3, 3}, 2);
  const Attributes strides = {{"strides", ints({2, 2})}};
  Attributes same = strides, given = strides;
  same["auto_pad"] = std::string("SAME_UPPER");
  given["output_shape"] = ints({6, 6});
  EXPECT_EQ(run_op("ConvTranspose", {x, w}, same).shape, (Shape{1, 2, 6, 6}));
  EXPECT_EQ(run_op("ConvTranspose", {x, w}, same).values,
            run_op("ConvTranspose", {x, w}, given).values);
  EXPECT_THAT(error_of("ConvTranspose", {{1, 3, 4, 4}, {2, 1, 3, 3}}), HasSubstr("does not fit"));
}

TEST(ConvTranspose, CountsTheZerosOfItsStride) {
  const Contraction c =
      contraction_of("ConvTranspose", {{1, 4, 5, 5}, {4, 2, 2, 2}}, {{"strides", ints({2, 2})}});
  EXPECT_EQ(c.m, 100);
  EXPECT_EQ(c.n, 2);
  EXPECT_EQ(c.k(), 16);
}

TEST(GlobalPools, EqualTheirDefinition) {
  const Tensor x = random_tensor({2, 3, 2, 4}, 1);
  const Tensor max = run_op("GlobalMaxPool", {x});
  const Tensor norm = run_op("GlobalLpPool", {x}, {{"p", one(3)}});
  ASSERT_EQ(max.shape, (Shape{2, 3, 1, 1}));
  for (std::size_t plane = 0; plane < 6; ++plane) {
    double largest = -9.0, sum = 0.0;
    for (std::size_t i = 0; i < 8; ++i) {
      largest = std::max(largest, x.values[plane * 8 + i]);
      sum += std::pow(std::fabs(x.values[plane * 8 + i]), 3.0);
    }
    EXPECT_EQ(max.values[plane], largest);
    EXPECT_NEAR(norm.values[plane], std::cbrt(sum), 1e-14);
  }
  expect_right_gradients("GlobalMaxPool", {x});
}

TEST(LpPool, TakesTheNormOfEachWindow) {
  const Tensor x = typed_tensor({1, 1, 4}, ElementType::floating, {3, -4, 0, 5});
  expect_near(run_op("LpPool", {x}, {{"kernel_shape", ints({2})}}), {1, 1, 3}, {5, 4, 5}, 1e-15);
  expect_near(run_op("LpPool", {x}, {{"kernel_shape", ints({2})}, {"p", one(1)}}), {1, 1, 3},
              {7, 4, 5}, 0.0);
}

TEST(MaxUnpool, UndoesMaxPool) {
  const Tensor x = random_tensor({1, 2, 4, 4}, 1);
  const Attributes window = {{"kernel_shape", ints({2, 2})}, {"strides", ints({2, 2})}};
  const std::vector<Tensor> pooled = run_op_outputs("MaxPool", {x}, window, 2);
  const Tensor y = run_op("MaxUnpool", {pooled[0], pooled[1]}, window);
  ASSERT_EQ(y.shape, x.shape);
  double sum = 0.0, expected = 0.0;
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    EXPECT_TRUE(y.values[i] == 0.0 || y.values[i] == x.values[i]);
    sum += y.values[i];
  }
  for (const double value : pooled[0].values) expected += value;
  EXPECT_NEAR(sum, expected, 1e-14);
}

TEST(Dropout, KeepsEverythingInInference) {
  const Tensor x = random_tensor({5}, 1);
  const std::vector<Tensor> y = run_op_outputs("Dropout", {x}, {}, 2);
  expect_near(y[0], {5}, x.values, 0.0);
  EXPECT_EQ(y[1].type, ElementType::boolean);
  expect_near(y[1], {5}, {1, 1, 1, 1, 1}, 0.0);
  const Tensor half = typed_tensor({}, ElementType::floating, {0.5});
  const Tensor yes = typed_tensor({}, ElementType::boolean, {1});
  EXPECT_THROW(run_op("Dropout", {x, half, yes}), base::InputError);
  expect_right_gradients("Dropout", {x});
}

}  // namespace
}  // namespace npusim::workloads
