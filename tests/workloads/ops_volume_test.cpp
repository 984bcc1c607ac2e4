// SPDX-License-Identifier: Apache-2.0
// Convolution and pooling of images with one and three dimensions, against the definition over
// multi-indices of any length; positions of maxima.
#include <gmock/gmock.h>

#include <random>

#include "ops_support.h"

namespace npusim::workloads {
namespace {

using testing::expect_near;
using testing::expect_right_gradients;
using testing::ints;
using testing::one;
using testing::random_tensor;
using testing::run_op;
using Integers = std::vector<std::int64_t>;

/// The next multi-index below `shape`, last dimension fastest; false after the last one.
bool advance(Integers& at, const Shape& shape) {
  for (std::size_t d = shape.size(); d-- > 0;) {
    if (++at[d] < shape[d]) return true;
    at[d] = 0;
  }
  return false;
}

std::int64_t offset_of(const Integers& at, const Shape& shape) {
  std::int64_t offset = 0;
  for (std::size_t d = 0; d < shape.size(); ++d) offset = offset * shape[d] + at[d];
  return offset;
}

struct Geometry {
  Shape image, kernel;
  Integers strides, dilations, begins, ends;

  Shape out() const {
    Shape shape;
    for (std::size_t d = 0; d < image.size(); ++d)
      shape.push_back(
          (image[d] + begins[d] + ends[d] - dilations[d] * (kernel[d] - 1) - 1) / strides[d] + 1);
    return shape;
  }
  Attributes attributes() const {
    Integers pads = begins;
    pads.insert(pads.end(), ends.begin(), ends.end());
    return {{"strides", ints(strides)}, {"dilations", ints(dilations)}, {"pads", ints(pads)}};
  }
  /// body(tap, offset) for the taps of a window that lie inside the image.
  template <class Body>
  void window(const Integers& position, const Body& body) const {
    Integers tap(kernel.size(), 0);
    do {
      Integers at;
      bool inside = true;
      for (std::size_t d = 0; d < image.size(); ++d) {
        at.push_back(position[d] * strides[d] + tap[d] * dilations[d] - begins[d]);
        inside = inside && at[d] >= 0 && at[d] < image[d];
      }
      if (inside)
        body(static_cast<std::size_t>(offset_of(tap, kernel)),
             static_cast<std::size_t>(offset_of(at, image)));
    } while (advance(tap, kernel));
  }
};

Shape with_channels(std::int64_t n, std::int64_t c, const Shape& image) {
  Shape shape = {n, c};
  shape.insert(shape.end(), image.begin(), image.end());
  return shape;
}

std::size_t count(const Shape& shape) {
  return static_cast<std::size_t>(element_count(shape));
}

/// Every window has a tap inside: the pads are smaller than the reach of a window of dilation 1.
Geometry random_geometry(std::mt19937& generator, std::size_t dimensions) {
  const auto pick = [&](int low, int high) {
    return static_cast<std::int64_t>(
        low + static_cast<int>(generator() % static_cast<unsigned>(high - low + 1)));
  };
  Geometry g;
  for (std::size_t d = 0; d < dimensions; ++d) {
    g.kernel.push_back(pick(1, 3));
    g.dilations.push_back(pick(1, 2));
    g.strides.push_back(pick(1, 3));
    g.begins.push_back(pick(0, static_cast<int>(g.kernel[d]) - 1));
    g.ends.push_back(pick(0, static_cast<int>(g.kernel[d]) - 1));
    g.image.push_back(g.dilations[d] * g.kernel[d] + pick(0, 3));
  }
  return g;
}

class Volume : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Volume, ConvEqualsItsDefinition) {
  std::mt19937 generator(1);
  for (std::uint64_t i = 0; i < 60; ++i) {
    SCOPED_TRACE(i);
    const Geometry g = random_geometry(generator, GetParam());
    const std::int64_t groups = 1 + static_cast<std::int64_t>(i % 2);
    const Shape out = g.out();
    const Tensor x = random_tensor(with_channels(2, 2 * groups, g.image), i);
    const Tensor w = random_tensor(with_channels(3 * groups, 2, g.kernel), i + 100);
    const Tensor bias = random_tensor({3 * groups}, i + 200);
    std::vector<double> y;
    for (std::size_t n = 0; n < 2; ++n)
      for (std::size_t k = 0; k < static_cast<std::size_t>(3 * groups); ++k) {
        Integers position(out.size(), 0);
        do {
          double sum = bias.values[k];
          g.window(position, [&](std::size_t tap, std::size_t offset) {
            for (std::size_t c = 0; c < 2; ++c) {
              const std::size_t plane = n * static_cast<std::size_t>(2 * groups) + k / 3 * 2 + c;
              sum += x.values[plane * count(g.image) + offset] *
                     w.values[(k * 2 + c) * count(g.kernel) + tap];
            }
          });
          y.push_back(sum);
        } while (advance(position, out));
      }
    Attributes attributes = g.attributes();
    attributes["group"] = one(groups);
    expect_near(run_op("Conv", {x, w, bias}, attributes), with_channels(2, 3 * groups, out), y);
    if (i < 4) expect_right_gradients("Conv", {x, w, bias}, attributes);
  }
}

TEST_P(Volume, PoolsEqualTheirDefinitions) {
  std::mt19937 generator(2);
  for (std::uint64_t i = 0; i < 60; ++i) {
    SCOPED_TRACE(i);
    const Geometry g = random_geometry(generator, GetParam());
    const Shape out = g.out();
    const Tensor x = random_tensor(with_channels(2, 3, g.image), i);
    std::vector<double> largest, mean, place;
    for (std::size_t plane = 0; plane < 6; ++plane) {
      Integers position(out.size(), 0);
      do {
        double sum = 0.0;
        double taps = 0.0;
        std::size_t best = count(g.image);
        const double* values = x.values.data() + plane * count(g.image);
        g.window(position, [&](std::size_t, std::size_t offset) {
          sum += values[offset];
          taps += 1.0;
          if (best == count(g.image) || values[offset] > values[best]) best = offset;
        });
        largest.push_back(values[best]);
        mean.push_back(sum / taps);
        place.push_back(static_cast<double>(plane * count(g.image) + best));
      } while (advance(position, out));
    }
    Attributes attributes = g.attributes();
    attributes["kernel_shape"] = ints(g.kernel);
    const Shape shape = with_channels(2, 3, out);
    const std::vector<Tensor> pooled = testing::run_op_outputs("MaxPool", {x}, attributes, 2);
    expect_near(pooled[0], shape, largest, 0.0);
    expect_near(pooled[1], shape, place, 0.0);
    EXPECT_EQ(pooled[1].type, ElementType::int64);
    expect_near(run_op("AveragePool", {x}, attributes), shape, mean);
    if (i < 4) {
      expect_right_gradients("MaxPool", {x}, attributes);
      expect_right_gradients("AveragePool", {x}, attributes);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(OneAndThreeDimensions, Volume, ::testing::Values(1, 2, 3));

TEST(MaxPool, CountsPlacesByColumnsWhenAsked) {
  Tensor x({1, 2, 2, 3});
  x.values = {1, 2, 9, 4, 5, 6, 7, 1, 2, 3, 4, 5};
  const Attributes window = {{"kernel_shape", ints({2, 3})}, {"storage_order", one(1)}};
  const std::vector<Tensor> y = testing::run_op_outputs("MaxPool", {x}, window, 2);
  expect_near(y[0], {1, 2, 1, 1}, {9, 7}, 0.0);
  expect_near(y[1], {1, 2, 1, 1}, {4, 6}, 0.0);  // row 0, column 2 of plane 0; 0, 0 of plane 1
}

TEST(MaxPool, KeepsIntegers) {
  const Tensor x = testing::typed_tensor({1, 1, 1, 3}, ElementType::uint8, {3, 255, 7});
  EXPECT_EQ(run_op("MaxPool", {x}, {{"kernel_shape", ints({1, 2})}}).type, ElementType::uint8);
}

}  // namespace
}  // namespace npusim::workloads
