// SPDX-License-Identifier: Apache-2.0
// Convolution against seven plain loops over the definition.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "ops_support.h"
#include "precision/rows_side_by_side.h"

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

struct Case {
  std::int64_t n, c, h, w, k, r, s, groups, stride_y, stride_x, dilation_y, dilation_x;
  std::int64_t top, left, bottom, right;
  bool bias;

  Shape x() const { return {n, c, h, w}; }
  Shape weight() const { return {k, c / groups, r, s}; }
  std::int64_t out_h() const {
    return (h + top + bottom - dilation_y * (r - 1) - 1) / stride_y + 1;
  }
  std::int64_t out_w() const {
    return (w + left + right - dilation_x * (s - 1) - 1) / stride_x + 1;
  }
  Shape y() const { return {n, k, out_h(), out_w()}; }
  Attributes attributes() const {
    return {{"group", one(groups)},
            {"strides", ints({stride_y, stride_x})},
            {"dilations", ints({dilation_y, dilation_x})},
            {"pads", ints({top, left, bottom, right})}};
  }
  std::vector<Tensor> inputs(std::uint64_t seed) const {
    std::vector<Tensor> result = {random_tensor(x(), seed), random_tensor(weight(), seed + 1)};
    if (bias) result.push_back(random_tensor({k}, seed + 2));
    return result;
  }
};

/// Visits every product of the definition that lies inside the image:
/// body(index in y, index in x, index in w).
template <class Body>
void for_products(const Case& c, const Body& body) {
  const std::int64_t channels = c.c / c.groups;
  const std::int64_t filters = c.k / c.groups;
  for (std::int64_t n = 0; n < c.n; ++n)
    for (std::int64_t k = 0; k < c.k; ++k)
      for (std::int64_t oy = 0; oy < c.out_h(); ++oy)
        for (std::int64_t ox = 0; ox < c.out_w(); ++ox)
          for (std::int64_t ch = 0; ch < channels; ++ch)
            for (std::int64_t r = 0; r < c.r; ++r)
              for (std::int64_t s = 0; s < c.s; ++s) {
                const std::int64_t y = oy * c.stride_y + r * c.dilation_y - c.top;
                const std::int64_t x = ox * c.stride_x + s * c.dilation_x - c.left;
                if (y < 0 || y >= c.h || x < 0 || x >= c.w) continue;
                const std::int64_t in = k / filters * channels + ch;
                body(static_cast<std::size_t>(((n * c.k + k) * c.out_h() + oy) * c.out_w() + ox),
                     static_cast<std::size_t>(((n * c.c + in) * c.h + y) * c.w + x),
                     static_cast<std::size_t>(((k * channels + ch) * c.r + r) * c.s + s));
              }
}

std::size_t size_of(const Shape& shape) {
  return static_cast<std::size_t>(element_count(shape));
}

std::vector<double> naive(const Case& c, const std::vector<Tensor>& in) {
  std::vector<double> y(size_of(c.y()), 0.0);
  if (c.bias)
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] = in[2].values[i / static_cast<std::size_t>(c.out_h() * c.out_w()) %
                          static_cast<std::size_t>(c.k)];
  for_products(c, [&](std::size_t out, std::size_t x, std::size_t w) {
    y[out] += in[0].values[x] * in[1].values[w];
  });
  return y;
}

Case random_case(std::mt19937& generator) {
  const auto pick = [&](int low, int high) {
    return static_cast<std::int64_t>(
        low + static_cast<int>(generator() % static_cast<unsigned>(high - low + 1)));
  };
  for (;;) {
    Case c{};
    c.groups = pick(1, 3);
    c.n = pick(1, 2);
    c.c = c.groups * pick(1, 3);
    c.k = c.groups * pick(1, 3);
    c.h = pick(1, 9);
    c.w = pick(1, 9);
    c.r = pick(1, 3);
    c.s = pick(1, 4);
    c.stride_y = pick(1, 3);
    c.stride_x = pick(1, 3);
    c.dilation_y = pick(1, 2);
    c.dilation_x = pick(1, 3);
    c.top = pick(0, 2);
    c.left = pick(0, 2);
    c.bottom = pick(0, 2);
    c.right = pick(0, 2);
    c.bias = pick(0, 1) == 1;
    const bool fits = c.h + c.top + c.bottom > c.dilation_y * (c.r - 1) &&
                      c.w + c.left + c.right > c.dilation_x * (c.s - 1);
    if (fits) return c;
  }
}

TEST(Conv, EqualsItsDefinitionOnRandomGeometries) {
  std::mt19937 generator(1);
  for (std::uint64_t i = 0; i < 300; ++i) {
    const Case c = random_case(generator);
    SCOPED_TRACE(i);
    const std::vector<Tensor> in = c.inputs(10 * i);
    expect_near(run_op("Conv", in, c.attributes()), c.y(), naive(c, in));
  }
}

TEST(Conv, GradientOpsEqualTheTransposedSums) {
  std::mt19937 generator(2);
  for (std::uint64_t i = 0; i < 200; ++i) {
    const Case c = random_case(generator);
    SCOPED_TRACE(i);
    const std::vector<Tensor> in = c.inputs(10 * i);
    const Tensor dy = random_tensor(c.y(), 10 * i + 5);
    std::vector<double> dx(size_of(c.x()), 0.0);
    std::vector<double> dw(size_of(c.weight()), 0.0);
    for_products(c, [&](std::size_t out, std::size_t x, std::size_t w) {
      dx[x] += dy.values[out] * in[1].values[w];
      dw[w] += dy.values[out] * in[0].values[x];
    });
    Attributes attributes = c.attributes();
    attributes["x_shape"] = c.x();
    expect_near(run_op("ConvDataGradient", {dy, in[1]}, attributes), c.x(), dx);
    attributes.erase("x_shape");
    attributes["w_shape"] = c.weight();
    expect_near(run_op("ConvWeightGradient", {dy, in[0]}, attributes), c.weight(), dw);
  }
}

/// The same rows, one by one only.
class OneByOne final : public precision::OperandRows {
 public:
  explicit OneByOne(const precision::OperandRows& rows) : rows_(rows) {}
  std::int64_t rows() const override { return rows_.rows(); }
  void read(std::int64_t row, double* values) const override { rows_.read(row, values); }

 private:
  const precision::OperandRows& rows_;
};

/// Takes each product with rows as they come and one by one, through chains with K in its own order
/// and with another one.
class BothWays final : public MatrixEngine {
 public:
  mutable int side_by_side = 0;
  void multiply(std::int64_t k, const precision::OperandRows& a, const precision::OperandRows& b,
                const precision::Bias& bias, precision::GemmOutput&) const override {
    const auto* beside = dynamic_cast<const precision::RowsSideBySide*>(&b);
    std::vector<float> probe(static_cast<std::size_t>(k));
    side_by_side += beside != nullptr && beside->read_side_by_side(0, 1, 1, probe.data()) ? 1 : 0;
    std::int64_t inner = k;
    while (inner > 1 && (k % inner != 0 || inner == k)) --inner;
    precision::ReductionPlan canonical, swapped;
    canonical.dims = swapped.dims = {{"outer", k / inner}, {"inner", inner}};
    swapped.order = {{1, 1}, {0, 1}};
    for (const precision::Format& sums : {precision::fp32(), precision::fp16()})
      for (const precision::ReductionPlan& plan : {canonical, swapped}) {
        precision::MacUnit unit;
        unit.a = unit.b = precision::fp16();
        unit.stages = {{0, precision::Combine::chain, {sums, precision::Rounding::rne}}};
        EXPECT_EQ(product(unit, plan, a, b, bias),
                  product(unit, plan, OneByOne(a), OneByOne(b), bias));
      }
  }

 private:
  static std::vector<double> product(const precision::MacUnit& unit,
                                     const precision::ReductionPlan& plan,
                                     const precision::OperandRows& a,
                                     const precision::OperandRows& b, const precision::Bias& bias) {
    std::vector<double> y(static_cast<std::size_t>(a.rows() * b.rows()));
    precision::MatrixOutput out(y.data(), b.rows());
    precision::emulated_gemm(unit, plan, a, b, bias, out, precision::serial());
    return y;
  }
};

Tensor halves(Tensor tensor) {
  for (double& value : tensor.values)
    value = precision::round_to(value, precision::fp16(), precision::Rounding::rne);
  return tensor;
}

/// How many of its products had rows side by side.
int read_both_ways(const char* op, const std::vector<Tensor>& inputs,
                   const Attributes& attributes) {
  const BothWays engine;
  const precision::Rounder exact;
  const Graph graph = testing::one_node(op, inputs, attributes);
  std::vector<const Tensor*> given;
  for (const Tensor& input : inputs) given.push_back(&input);
  std::vector<Tensor> outputs = {Tensor(graph.tensor(graph.nodes[0].outputs[0]).shape)};
  const precision::ParallelFor serial = precision::serial();
  Evaluation e{NodeView(graph, graph.nodes[0]), given, outputs, engine, exact, serial};
  ops().at(op).forward(e);
  return engine.side_by_side;
}

/// The convolution and both its gradients.
struct SideBySide {
  int conv = 0, data = 0, weight = 0;
  void read(Tensor x, Tensor w, const Attributes& attributes) {
    x = halves(std::move(x));
    w = halves(std::move(w));
    conv += read_both_ways("Conv", {x, w}, attributes);
    const Graph graph = testing::one_node("Conv", {x, w}, attributes);
    const Tensor dy = halves(random_tensor(graph.tensor(graph.nodes[0].outputs[0]).shape, 77));
    Attributes of_gradient = attributes;
    of_gradient["x_shape"] = x.shape;
    data += read_both_ways("ConvDataGradient", {dy, w}, of_gradient);
    of_gradient.erase("x_shape");
    of_gradient["w_shape"] = w.shape;
    weight += read_both_ways("ConvWeightGradient", {dy, x}, of_gradient);
  }
};

TEST(Conv, NeighbouringWindowsAreReadAtOnceWithTheSameBits) {
  std::mt19937 generator(5);
  SideBySide all;
  for (int i = 0; i < 60; ++i) {
    Case c = random_case(generator);
    c.w += 15 * (i % 3);  // lines longer and shorter than a panel
    const auto seed = static_cast<std::uint64_t>(i);
    all.read(random_tensor(c.x(), seed), random_tensor(c.weight(), seed + 1), c.attributes());
  }
  EXPECT_GE(all.conv, 60);
  EXPECT_GE(all.data, 10);
  EXPECT_GE(all.weight, 60);
}

TEST(Conv, WindowsOfOtherRanksAndSizesAreReadAtOnceWithTheSameBits) {
  SideBySide all;
  const auto read = [&](const Shape& x, const Shape& w, const Attributes& attributes) {
    all = {};
    all.read(random_tensor(x, 1), random_tensor(w, 2), attributes);
  };
  read({2, 3, 90}, {4, 3, 5}, {{"pads", ints({2, 1})}, {"dilations", ints({2})}});
  EXPECT_EQ(all.conv + all.data + all.weight, 3);
  read({1, 2, 4, 5, 6}, {3, 2, 2, 3, 2},
       {{"pads", ints({1, 0, 2, 0, 1, 1})}, {"strides", ints({1, 2, 1})}});
  EXPECT_EQ(all.conv + all.data + all.weight, 3);
  read({1, 8, 7, 7}, {2, 8, 3, 3}, {});  // 72 taps: more than a panel
  EXPECT_EQ(all.weight, 1);
  read({1, 1, 1, 600}, {1, 1, 1, 2}, {{"dilations", ints({1, 200})}});  // beyond a line's buffer
  EXPECT_EQ(all.conv, 1);
  read({1, 1, 260, 260}, {1, 1, 2, 2}, {});  // beyond a padded image's
  EXPECT_EQ(all.weight, 0);
}

TEST(Conv, WindowsFarLargerThanTheImage) {
  const Attributes attributes = {{"dilations", ints({182361, 182361, 182361})},
                                 {"auto_pad", std::string("SAME_UPPER")},
                                 {"w_shape", ints({1, 1, 23, 23, 23})}};
  const Tensor one_pixel = random_tensor({1, 1, 1, 1, 1}, 1);
  const Tensor dw = run_op("ConvWeightGradient", {one_pixel, one_pixel}, attributes);
  int products = 0;
  for (const double value : dw.values) products += value != 0.0 ? 1 : 0;
  EXPECT_EQ(products, 1);
  EXPECT_EQ(
      read_both_ways("ConvWeightGradient", {halves(one_pixel), halves(one_pixel)}, attributes), 0);
}

TEST(Conv, GradientsAreRight) {
  const Case plain{2, 3, 5, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, true};
  const Case odd{1, 4, 6, 7, 2, 3, 2, 2, 2, 3, 1, 2, 0, 2, 1, 0, false};
  for (const Case& c : {plain, odd}) expect_right_gradients("Conv", c.inputs(3), c.attributes());
}

// Totals and sides from the ONNX formula: out = ceil(in / stride), the odd one at the end for
// UPPER.
TEST(Conv, AutoPadPlacesTheOddPaddingAsNamed) {
  const Tensor x = random_tensor({1, 1, 5, 6}, 1);
  const Tensor w = random_tensor({1, 1, 2, 3}, 2);
  const auto padded = [&](const std::string& auto_pad, std::vector<std::int64_t> strides) {
    return run_op("Conv", {x, w}, {{"auto_pad", auto_pad}, {"strides", ints(std::move(strides))}});
  };
  const auto explicitly = [&](std::vector<std::int64_t> pads, std::vector<std::int64_t> strides) {
    return run_op("Conv", {x, w},
                  {{"pads", ints(std::move(pads))}, {"strides", ints(std::move(strides))}});
  };
  const auto same = [](const Tensor& a, const Tensor& b) {
    expect_near(a, b.shape, b.values, 0.0);
  };
  same(padded("SAME_UPPER", {1, 1}), explicitly({0, 1, 1, 1}, {1, 1}));
  same(padded("SAME_LOWER", {1, 1}), explicitly({1, 1, 0, 1}, {1, 1}));
  same(padded("SAME_UPPER", {2, 2}), explicitly({0, 0, 1, 1}, {2, 2}));
  same(padded("SAME_LOWER", {2, 2}), explicitly({1, 1, 0, 0}, {2, 2}));
  same(padded("VALID", {1, 2}), explicitly({0, 0, 0, 0}, {1, 2}));
  EXPECT_EQ(padded("SAME_UPPER", {1, 1}).shape, (Shape{1, 1, 5, 6}));
}

TEST(Conv, ContractionNamesTheReducedDimensions) {
  const Case c{2, 8, 9, 7, 12, 3, 2, 4, 2, 1, 1, 1, 1, 0, 1, 1, true};
  const Contraction f = contraction_of("Conv", {c.x(), c.weight(), {12}}, c.attributes());
  EXPECT_EQ(f.role, GemmRole::fprop);
  EXPECT_EQ(f.groups, 4);
  EXPECT_EQ(f.m, 2 * 5 * 7);
  EXPECT_EQ(f.n, 3);
  ASSERT_EQ(f.dims.size(), 3u);
  EXPECT_EQ(f.dims[0].name + f.dims[1].name + f.dims[2].name, "CRS");
  EXPECT_EQ(f.dims[0].extent, 2);
  EXPECT_EQ(f.dims[1].extent, 3);
  EXPECT_EQ(f.dims[2].extent, 2);
  EXPECT_EQ(f.m_input, 0);
  EXPECT_EQ(f.n_input, 1);
  EXPECT_EQ(f.bias_input, 2);
  EXPECT_EQ(f.macs(), 2 * 12 * 5 * 7 * 2 * 3 * 2);
  ASSERT_TRUE(f.window);
  EXPECT_EQ(f.window->channels, 2);
  EXPECT_EQ(f.window->images * f.window->out_height * f.window->out_width, f.m);
  EXPECT_EQ(contraction_of("Conv", {c.x(), c.weight()}, c.attributes()).bias_input, -1);
}

TEST(Conv, GradientContractionsAreTheOnesOfTraining) {
  const Case c{2, 8, 9, 7, 12, 3, 2, 4, 2, 1, 1, 1, 1, 0, 1, 1, true};
  Attributes attributes = c.attributes();
  attributes["x_shape"] = c.x();
  const Contraction d = contraction_of("ConvDataGradient", {c.y(), c.weight()}, attributes);
  EXPECT_EQ(d.role, GemmRole::dgrad);
  EXPECT_EQ(d.dims[0].name + d.dims[1].name + d.dims[2].name, "KRS");
  EXPECT_EQ(d.k(), 3 * 3 * 2);
  EXPECT_EQ(d.m, 2 * 9 * 7);
  EXPECT_EQ(d.n, 2);
  attributes.erase("x_shape");
  attributes["w_shape"] = c.weight();
  const Contraction w = contraction_of("ConvWeightGradient", {c.y(), c.x()}, attributes);
  EXPECT_EQ(w.role, GemmRole::wgrad);
  EXPECT_EQ(w.dims[0].name + w.dims[1].name + w.dims[2].name, "NOHOW");
  EXPECT_EQ(w.k(), 2 * 5 * 7);
  EXPECT_EQ(w.m * w.n * w.groups, 12 * 2 * 3 * 2);
  // Not counting the zeros that a strided data gradient inserts, all three are the same work.
  EXPECT_EQ(w.macs(), 2 * 12 * 5 * 7 * 2 * 3 * 2);
}

TEST(Conv, RefusesWhatDoesNotFitNamingTheShapes) {
  EXPECT_THAT(
      error_of("Conv", {{1, 3, 8, 8}, {4, 2, 3, 3}}),
      AllOf(HasSubstr("Conv \"node\""), HasSubstr("[4, 2, 3, 3]"), HasSubstr("[1, 3, 8, 8]")));
  EXPECT_THAT(error_of("Conv", {{1, 3}, {4, 3}}), HasSubstr("[1, 3]"));
  EXPECT_THAT(error_of("Conv", {{1, 3, 2, 8}, {4, 3, 3, 3}}), HasSubstr("larger than the padded"));
  EXPECT_THAT(error_of("Conv", {{1, 3, 8, 8}, {4, 3, 3, 3}, {5}}), HasSubstr("[4]"));
  EXPECT_THAT(error_of("Conv", {{1, 4, 8, 8}, {3, 2, 3, 3}}, {{"group", one(2)}}),
              HasSubstr("group 2"));
  EXPECT_THAT(error_of("Conv", {{1, 4, 8, 8}, {3, 4, 3, 3}}, {{"group", one(0)}}),
              HasSubstr("group 0"));
  EXPECT_THAT(error_of("Conv", {{1, 1, 8, 8}, {1, 1, 3, 3}}, {{"strides", ints({0, 1})}}),
              HasSubstr("strides"));
  EXPECT_THAT(error_of("Conv", {{1, 1, 8, 8}, {1, 1, 3, 3}}, {{"pads", ints({1, 1})}}),
              HasSubstr("pads"));
  EXPECT_THAT(error_of("Conv", {{1, 1, 8, 8}, {1, 1, 3, 3}}, {{"auto_pad", std::string("SAME")}}),
              HasSubstr("SAME_UPPER"));
  EXPECT_THAT(error_of("Conv", {{1, 1, 8, 8}, {1, 1, 3, 3}}, {{"kernel_shape", ints({5, 5})}}),
              HasSubstr("kernel_shape"));
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  for (const char* name : {"strides", "dilations", "pads"})
    EXPECT_NE(error_of("Conv", {{1, 1, 8, 8}, {1, 1, 3, 3}},
                       {{name, name[0] == 'p' ? ints({kHuge, kHuge, kHuge, kHuge})
                                              : ints({kHuge, kHuge})}}),
              "accepted")
        << name;
}

}  // namespace
}  // namespace npusim::workloads
