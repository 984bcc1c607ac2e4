// SPDX-License-Identifier: Apache-2.0
// Pooling against plain loops, with ONNX's rules for ceil_mode and padding.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "ops_support.h"

namespace npusim::workloads {
namespace {

using testing::error_of;
using testing::expect_near;
using testing::expect_right_gradients;
using ::testing::HasSubstr;
using testing::ints;
using testing::one;
using testing::random_floats;
using testing::random_tensor;
using testing::run_op;
using testing::work_of;

struct Case {
  std::int64_t n, c, h, w, r, s, stride_y, stride_x, dilation_y, dilation_x;
  std::int64_t top, left, bottom, right;
  bool ceil, include_pad;

  Shape x() const { return {n, c, h, w}; }
  static std::int64_t extent(std::int64_t padded, std::int64_t begin_and_in, std::int64_t kernel,
                             std::int64_t stride, std::int64_t dilation, bool ceil) {
    const double span = static_cast<double>(padded - dilation * (kernel - 1) - 1);
    const double steps = span / static_cast<double>(stride);
    auto out = static_cast<std::int64_t>(ceil ? std::ceil(steps) : std::floor(steps)) + 1;
    if (ceil && (out - 1) * stride >= begin_and_in) --out;
    return out;
  }
  std::int64_t out_h() const {
    return extent(h + top + bottom, h + top, r, stride_y, dilation_y, ceil);
  }
  std::int64_t out_w() const {
    return extent(w + left + right, w + left, s, stride_x, dilation_x, ceil);
  }
  Attributes attributes(bool average) const {
    Attributes result = {{"kernel_shape", ints({r, s})},
                         {"strides", ints({stride_y, stride_x})},
                         {"dilations", ints({dilation_y, dilation_x})},
                         {"pads", ints({top, left, bottom, right})},
                         {"ceil_mode", one(ceil ? 1 : 0)}};
    if (average) result["count_include_pad"] = one(include_pad ? 1 : 0);
    return result;
  }
};

/// One value a window from its elements and the number of taps on the image or its padding.
template <class Combine>
std::vector<double> naive(const Case& c, const Tensor& x, const Combine& combine) {
  std::vector<double> y;
  for (std::int64_t plane = 0; plane < c.n * c.c; ++plane)
    for (std::int64_t oy = 0; oy < c.out_h(); ++oy)
      for (std::int64_t ox = 0; ox < c.out_w(); ++ox) {
        std::vector<double> inside;
        int padded = 0;
        for (std::int64_t r = 0; r < c.r; ++r)
          for (std::int64_t s = 0; s < c.s; ++s) {
            const std::int64_t iy = oy * c.stride_y + r * c.dilation_y - c.top;
            const std::int64_t ix = ox * c.stride_x + s * c.dilation_x - c.left;
            if (iy < c.h + c.bottom && ix < c.w + c.right) ++padded;
            if (iy >= 0 && iy < c.h && ix >= 0 && ix < c.w)
              inside.push_back(x.values[static_cast<std::size_t>((plane * c.h + iy) * c.w + ix)]);
          }
        y.push_back(combine(inside, padded));
      }
  return y;
}

bool every_window_meets_the_image(const Case& c) {
  bool met = true;
  naive(c, Tensor(c.x()), [&](const std::vector<double>& inside, int) {
    met = met && !inside.empty();
    return 0.0;
  });
  return met;
}

Case random_case(std::mt19937& generator) {
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(generator() % static_cast<unsigned>(high - low + 1));
  };
  for (;;) {
    Case c{pick(1, 2), pick(1, 3), pick(1, 9),      pick(1, 9),     pick(1, 3), pick(1, 3),
           pick(1, 3), pick(1, 4), pick(1, 2),      pick(1, 3),     pick(0, 2), pick(0, 2),
           pick(0, 2), pick(0, 2), pick(0, 1) == 1, pick(0, 1) == 1};
    const bool fits = c.h + c.top + c.bottom > c.dilation_y * (c.r - 1) &&
                      c.w + c.left + c.right > c.dilation_x * (c.s - 1);
    if (fits && every_window_meets_the_image(c)) return c;
  }
}

TEST(MaxPool, EqualsItsDefinitionOnRandomGeometries) {
  std::mt19937 generator(1);
  for (std::uint64_t i = 0; i < 300; ++i) {
    const Case c = random_case(generator);
    SCOPED_TRACE(i);
    const Tensor x = random_tensor(c.x(), i);
    expect_near(run_op("MaxPool", {x}, c.attributes(false)), {c.n, c.c, c.out_h(), c.out_w()},
                naive(c, x, [](const std::vector<double>& inside, int) {
                  return *std::max_element(inside.begin(), inside.end());
                }));
  }
}

TEST(AveragePool, EqualsItsDefinitionOnRandomGeometries) {
  std::mt19937 generator(2);
  for (std::uint64_t i = 0; i < 300; ++i) {
    const Case c = random_case(generator);
    SCOPED_TRACE(i);
    const Tensor x = random_tensor(c.x(), i);
    expect_near(run_op("AveragePool", {x}, c.attributes(true)), {c.n, c.c, c.out_h(), c.out_w()},
                naive(c, x, [&](const std::vector<double>& inside, int padded) {
                  double sum = 0.0;
                  for (const double value : inside) sum += value;
                  return sum / (c.include_pad ? padded : static_cast<int>(inside.size()));
                }));
  }
}

// From the ONNX backend test averagepool_2d_ceil: 3x3 windows, stride 2, on 1..16.
TEST(AveragePool, CeilModeGivesThePublishedNumbers) {
  Tensor x({1, 1, 4, 4});
  for (std::size_t i = 0; i < 16; ++i) x.values[i] = static_cast<double>(i + 1);
  expect_near(
      run_op("AveragePool", {x},
             {{"kernel_shape", ints({3, 3})}, {"strides", ints({2, 2})}, {"ceil_mode", one(1)}}),
      {1, 1, 2, 2}, {6, 7.5, 12, 13.5});
}

TEST(Pooling, GradientsAreRight) {
  std::mt19937 generator(3);
  for (std::uint64_t i = 0; i < 60; ++i) {
    const Case c = random_case(generator);
    SCOPED_TRACE(i);
    expect_right_gradients("MaxPool", {random_tensor(c.x(), i)}, c.attributes(false));
    expect_right_gradients("AveragePool", {random_tensor(c.x(), i)}, c.attributes(true));
  }
  expect_right_gradients("GlobalAveragePool", {random_tensor({2, 3, 4, 5}, 1)});
}

TEST(MaxPool, GradientGoesToTheFirstOfEqualValues) {
  Tensor x({1, 1, 1, 3});
  x.values = {2, 2, 1};
  Tensor dy({1, 1, 1, 2});
  dy.values = {10, 20};
  expect_near(run_op("MaxPoolGradient", {dy, x}, {{"kernel_shape", ints({1, 2})}}), {1, 1, 1, 3},
              {10, 20, 0});
}

TEST(MaxPool, PaddingNeverWinsAndNanDoes) {
  Tensor x({1, 1, 1, 3});
  x.values = {-5, -6, -7};
  const Attributes attributes = {{"kernel_shape", ints({3, 3})}, {"pads", ints({1, 1, 1, 1})}};
  expect_near(run_op("MaxPool", {x}, attributes), {1, 1, 1, 3}, {-5, -5, -6});
  x.values[1] = std::numeric_limits<double>::quiet_NaN();
  for (const double value : run_op("MaxPool", {x}, attributes).values)
    EXPECT_TRUE(std::isnan(value));
}

TEST(GlobalAveragePool, EqualsItsDefinition) {
  const Tensor x = random_tensor({2, 3, 4, 5}, 1);
  std::vector<double> expected(6, 0.0);
  for (std::size_t i = 0; i < 120; ++i) expected[i / 20] += x.values[i] / 20.0;
  expect_near(run_op("GlobalAveragePool", {x}), {2, 3, 1, 1}, expected);
}

TEST(Pooling, RoundsEachStepLikeFloats) {
  const Tensor x = random_floats({1, 1, 7, 7}, 4);
  float sum = 0.0f;
  for (const double value : x.values) sum += static_cast<float>(value);
  const double expected = static_cast<double>(sum / 49.0f);
  EXPECT_EQ(run_op("GlobalAveragePool", {x}, {}, testing::fp32_rounder()).values[0], expected);
  EXPECT_EQ(run_op("AveragePool", {x}, {{"kernel_shape", ints({7, 7})}}, testing::fp32_rounder())
                .values[0],
            expected);
}

precision::Rounder half_rounder() {
  return precision::Rounder({precision::fp16(), precision::Rounding::rne});
}

TEST(AveragePool, RoundsTapAfterTapInTheOrderOfTheWindow) {
  std::mt19937 generator(4);
  const precision::Rounder half = half_rounder();
  for (std::uint64_t i = 0; i < 200; ++i) {
    const Case c = random_case(generator);
    SCOPED_TRACE(i);
    const Tensor x = random_tensor(c.x(), i);
    expect_near(
        run_op("AveragePool", {x}, c.attributes(true), half), {c.n, c.c, c.out_h(), c.out_w()},
        naive(c, x,
              [&](const std::vector<double>& inside, int padded) {
                double sum = 0.0;
                for (const double value : inside) sum = half(sum + value);
                return half(sum / (c.include_pad ? padded : static_cast<int>(inside.size())));
              }),
        0.0);
  }
}

TEST(AveragePool, GradientsOfWindowsAreAddedInTheirOrder) {
  std::mt19937 generator(5);
  const precision::Rounder half = half_rounder();
  for (std::uint64_t i = 0; i < 200; ++i) {
    const Case c = random_case(generator);
    SCOPED_TRACE(i);
    const Tensor dy = random_tensor({c.n, c.c, c.out_h(), c.out_w()}, i);
    // Which pixels a window meets: naive() on an image that holds their numbers.
    Tensor numbers(c.x());
    for (std::size_t p = 0; p < numbers.values.size(); ++p)
      numbers.values[p] = static_cast<double>(p);
    std::vector<double> dx(numbers.values.size(), 0.0);
    std::size_t window = 0;
    naive(c, numbers, [&](const std::vector<double>& inside, int padded) {
      const double share =
          half(dy.values[window++] / (c.include_pad ? padded : static_cast<int>(inside.size())));
      for (const double pixel : inside) {
        double& sum = dx[static_cast<std::size_t>(pixel)];
        sum = half(sum + share);
      }
      return 0.0;
    });
    Attributes attributes = c.attributes(true);
    attributes["x_shape"] = c.x();
    expect_near(run_op("AveragePoolGradient", {dy}, attributes, half), c.x(), dx, 0.0);
  }
}

TEST(AveragePool, OfNothingIsNothing) {
  const Attributes attributes = {{"kernel_shape", ints({1, 1})},
                                 {"auto_pad", std::string("SAME_UPPER")}};
  const Tensor nothing(Shape{1, 1, 3, 0});
  EXPECT_EQ(run_op("AveragePool", {nothing}, attributes).shape, nothing.shape);
  Attributes of_gradient = attributes;
  of_gradient["x_shape"] = nothing.shape;
  EXPECT_EQ(run_op("AveragePoolGradient", {nothing}, of_gradient).shape, nothing.shape);
}

TEST(AveragePool, InThreeDimensionsTapsGoDepthFirst) {
  const precision::Rounder half = half_rounder();
  const Tensor x = random_tensor({1, 1, 3, 3, 3}, 6);
  const Attributes attributes = {{"kernel_shape", ints({2, 2, 2})}};
  std::vector<double> y, dx(x.values.size(), 0.0);
  const Tensor dy = random_tensor({1, 1, 2, 2, 2}, 7);
  for (std::size_t z = 0; z < 2; ++z)
    for (std::size_t line = 0; line < 2; ++line)
      for (std::size_t at = 0; at < 2; ++at) {
        const double share = half(dy.values[y.size()] / 8.0);
        double sum = 0.0;
        for (std::size_t tap = 0; tap < 8; ++tap) {
          const std::size_t pixel = (z + tap / 4) * 9 + (line + tap / 2 % 2) * 3 + at + tap % 2;
          sum = half(sum + x.values[pixel]);
          dx[pixel] = half(dx[pixel] + share);
        }
        y.push_back(half(sum / 8.0));
      }
  expect_near(run_op("AveragePool", {x}, attributes, half), dy.shape, y, 0.0);
  Attributes of_gradient = attributes;
  of_gradient["x_shape"] = x.shape;
  expect_near(run_op("AveragePoolGradient", {dy}, of_gradient, half), x.shape, dx, 0.0);
}

TEST(Pooling, WorkCountsTaps) {
  using Work = std::map<std::string, std::int64_t>;
  const Attributes window = {{"kernel_shape", ints({3, 3})}, {"strides", ints({2, 2})}};
  EXPECT_EQ(work_of("MaxPool", {{1, 2, 9, 9}}, window), (Work{{"max", 2 * 16 * 9}}));
  EXPECT_EQ(work_of("AveragePool", {{1, 2, 9, 9}}, window),
            (Work{{"add", 2 * 16 * 9}, {"div", 32}}));
  EXPECT_EQ(work_of("GlobalAveragePool", {{1, 2, 9, 9}}), (Work{{"add", 162}, {"div", 2}}));
}

TEST(Pooling, RefusesWhatDoesNotFit) {
  EXPECT_THAT(error_of("MaxPool", {{1, 1, 8, 8}}), HasSubstr("kernel_shape"));
  EXPECT_THAT(error_of("MaxPool", {{1, 8, 8}}, {{"kernel_shape", ints({2, 2})}}),
              HasSubstr("one integer of at least 1, not [2, 2]"));
  EXPECT_THAT(error_of("MaxPool", {{1, 1, 2, 8}}, {{"kernel_shape", ints({3, 3})}}),
              HasSubstr("larger than the padded"));
  for (const char* op : {"MaxPool", "AveragePool"})
    EXPECT_THAT(error_of(op, {{1, 1, 8, 8}},
                         {{"kernel_shape", ints({2, 2})}, {"pads", ints({2, 0, 0, 0})}}),
                HasSubstr("padding"))
        << op;
  EXPECT_THAT(error_of("GlobalAveragePool", {{1, 8}}), HasSubstr("[1, 8]"));
}

}  // namespace
}  // namespace npusim::workloads
