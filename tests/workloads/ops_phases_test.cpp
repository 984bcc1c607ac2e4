// SPDX-License-Identifier: Apache-2.0
// Transposed convolutions by their phases, against loops over the terms that the definition leaves:
// one fused FP32 chain an element, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "evaluate_graph.h"
#include "ops_support.h"
#include "workloads/decompose.h"
#include "workloads/ops/conv_phases.h"

namespace npusim::workloads {
namespace {

using testing::ints;
using testing::one;
using testing::random_floats;

class ChainEngine final : public MatrixEngine {
 public:
  void multiply(std::int64_t k, const precision::OperandRows& a, const precision::OperandRows& b,
                const precision::Bias& bias, precision::GemmOutput& out) const override {
    std::vector<double> left(static_cast<std::size_t>(k)), right(left.size());
    for (std::int64_t i = 0; i < a.rows(); ++i)
      for (std::int64_t j = 0; j < b.rows(); ++j) {
        a.read(i, left.data());
        b.read(j, right.data());
        float sum =
            bias.axis == precision::Bias::Axis::none ? 0.0F : static_cast<float>(bias.values[i]);
        for (std::size_t t = 0; t < left.size(); ++t)
          sum = std::fma(static_cast<float>(left[t]), static_cast<float>(right[t]), sum);
        const double value = static_cast<double>(sum);
        out.write(i, j, 1, &value);
      }
  }
};

/// Convolution of an image of `in` pixels, by dimension (up to three, from the left).
struct Case {
  std::int64_t images = 1, groups = 1, channels = 1, filters = 1;  ///< of a group
  std::vector<std::int64_t> in, kernel, stride, dilation, pad;
  std::vector<std::int64_t> out() const {
    std::vector<std::int64_t> extents;
    for (std::size_t d = 0; d < in.size(); ++d)
      extents.push_back((in[d] + 2 * pad[d] - (kernel[d] - 1) * dilation[d] - 1) / stride[d] + 1);
    return extents;
  }
  Shape shaped(std::int64_t first, std::int64_t second,
               const std::vector<std::int64_t>& rest) const {
    Shape shape = {first, second};
    shape.insert(shape.end(), rest.begin(), rest.end());
    return shape;
  }
  Attributes attributes() const {
    std::vector<std::int64_t> pads = pad;
    pads.insert(pads.end(), pad.begin(), pad.end());
    return {{"group", one(groups)},
            {"strides", ints(stride)},
            {"dilations", ints(dilation)},
            {"pads", ints(pads)},
            {"x_shape", ints(shaped(images, groups * channels, in))}};
  }
};

std::vector<std::int64_t> unravel(std::int64_t flat, const std::vector<std::int64_t>& extents) {
  std::vector<std::int64_t> at(extents.size());
  for (std::size_t d = extents.size(); d-- > 0; flat /= extents[d]) at[d] = flat % extents[d];
  return at;
}

/// What the tap reaches from the pixel: an index into dy's plane, -1 outside it, nothing where a
/// zero is inserted.
std::optional<std::int64_t> reached(const Case& c, const std::vector<std::int64_t>& pixel,
                                    const std::vector<std::int64_t>& tap) {
  const std::vector<std::int64_t> out = c.out();
  std::int64_t at = 0;
  bool inside = true;
  for (std::size_t d = 0; d < out.size(); ++d) {
    const std::int64_t from = pixel[d] + c.pad[d] - tap[d] * c.dilation[d];
    if (((from % c.stride[d]) + c.stride[d]) % c.stride[d] != 0) return std::nullopt;
    inside = inside && from >= 0 && from / c.stride[d] < out[d];
    at = at * out[d] + from / c.stride[d];
  }
  return inside ? at : -1;
}

struct Expected {
  std::vector<double> values;
  std::int64_t macs = 0;
};

Expected by_definition(const Case& c, const Tensor& dy, const Tensor& w) {
  const std::int64_t pixels = element_count(c.in), taps = element_count(c.kernel);
  const std::int64_t outputs = element_count(c.out());
  Expected expected;
  for (std::int64_t n = 0; n < c.images; ++n)
    for (std::int64_t channel = 0; channel < c.groups * c.channels; ++channel)
      for (std::int64_t p = 0; p < pixels; ++p) {
        float sum = 0.0F;
        for (std::int64_t f = 0; f < c.filters; ++f) {
          const std::int64_t filter = channel / c.channels * c.filters + f;
          for (std::int64_t t = 0; t < taps; ++t) {
            const auto at = reached(c, unravel(p, c.in), unravel(t, c.kernel));
            if (!at) continue;
            ++expected.macs;
            const double gradient = *at < 0
                                        ? 0.0
                                        : dy.values[static_cast<std::size_t>(
                                              (n * c.groups * c.filters + filter) * outputs + *at)];
            const double weight = w.values[static_cast<std::size_t>(
                (filter * c.channels + channel % c.channels) * taps + t)];
            sum = std::fma(static_cast<float>(gradient), static_cast<float>(weight), sum);
          }
        }
        expected.values.push_back(static_cast<double>(sum));
      }
  return expected;
}

std::vector<double> values_of(const Graph& graph, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> values(graph.tensors.size());
  std::copy(inputs.begin(), inputs.end(), values.begin());
  const ChainEngine engine;
  const precision::ParallelFor serial = precision::serial();
  for (const Node& node : graph.nodes) {
    std::vector<const Tensor*> operands;
    for (const TensorId id : node.inputs) operands.push_back(&values[static_cast<std::size_t>(id)]);
    std::vector<Tensor> outputs;
    for (const TensorId id : node.outputs)
      outputs.emplace_back(graph.tensor(id).shape, graph.tensor(id).type);
    Evaluation evaluation{NodeView(graph, node), operands, outputs, engine, {}, serial};
    ops().at(node.op).forward(evaluation);
    values[static_cast<std::size_t>(node.outputs[0])] = std::move(outputs[0]);
  }
  return values[static_cast<std::size_t>(graph.outputs[0])].values;
}

Graph split(Graph graph) {
  graph.outputs = graph.nodes.back().outputs;
  return rewrite(graph, [](const Node&) -> Replacement { return split_into_phases; }).graph;
}

std::int64_t macs_on_array(const Graph& graph) {
  std::int64_t macs = 0;
  for (const Node& node : graph.nodes)
    if (const auto c = ops().at(node.op).contraction(NodeView(graph, node))) macs += c->macs();
  return macs;
}

void expect_same_bits(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_TRUE(std::memcmp(&actual[i], &expected[i], sizeof(double)) == 0 ||
                (std::isnan(actual[i]) && std::isnan(expected[i])))
        << "element " << i << ": " << actual[i] << ", not " << expected[i];
}

Case random_case(std::mt19937_64& random) {
  const auto draw = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  Case c;
  c.images = draw(1, 2);
  c.groups = draw(1, 2);
  c.channels = draw(1, 3);
  c.filters = draw(1, 3);
  for (std::int64_t d = draw(1, 3); d > 0; --d) {
    c.kernel.push_back(draw(1, 4));
    c.stride.push_back(draw(1, 4));
    c.dilation.push_back(draw(1, 4));
    c.pad.push_back(draw(0, 2));
    c.in.push_back((c.kernel.back() - 1) * c.dilation.back() + draw(1, 4));
  }
  return c;
}

TEST(ConvPhases, GiveTheBitsAndTheMacsOfTheTermsThatAreNoInsertedZeros) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200; ++i) {
    const Case c = random_case(random);
    Tensor dy = random_floats(c.shaped(c.images, c.groups * c.filters, c.out()), random());
    Tensor w = random_floats(c.shaped(c.groups * c.filters, c.channels, c.kernel), random());
    dy.values[0] = -0.0;
    // A zero times this is no number: only chains that hold the term may see it.
    if (i % 2 == 0) w.values.back() = std::numeric_limits<double>::infinity();
    const Graph graph = split(testing::one_node("ConvDataGradient", {dy, w}, c.attributes()));
    const Expected expected = by_definition(c, dy, w);
    SCOPED_TRACE("case " + std::to_string(i));
    expect_same_bits(values_of(graph, {dy, w}), expected.values);
    EXPECT_EQ(macs_on_array(graph), expected.macs);
  }
}

TEST(ConvPhases, OfATransposedConvolutionStartFromItsBias) {
  // stride 3, kernel 2: a third of the rows has no taps
  const Tensor x = random_floats({2, 3, 4, 2}, 1), w = random_floats({3, 2, 2, 2}, 2);
  const Tensor bias = random_floats({2}, 3);
  Graph whole = testing::one_node("ConvTranspose", {x, w, bias},
                                  {{"strides", ints({3, 1})}, {"output_padding", ints({1, 0})}});
  whole.outputs = whole.nodes[0].outputs;
  const Graph graph = split(whole);
  ASSERT_EQ(graph.nodes.size(), 4U);  // phases 0, 1 and 2, and what joins them
  EXPECT_EQ(graph.nodes[0].op, "ConvTransposePhase");
  EXPECT_EQ(graph.nodes[2].op, "PhaseFill");
  EXPECT_EQ(graph.nodes[3].op, "JoinPhases");
  // finite values: the zeros of the whole product change nothing
  expect_same_bits(values_of(graph, {x, w, bias}), values_of(whole, {x, w, bias}));
  // each row has one of the two taps of a column and both of a row, or none: 2 images, 2 channels,
  // 3 inputs, 4 + 4 of the 12 rows, 3 columns
  EXPECT_EQ(macs_on_array(graph), 2 * 2 * 3 * (4 + 4) * 3 * 2);
  EXPECT_EQ(macs_on_array(whole), 2 * 2 * 3 * 12 * 3 * 4);
}

TEST(ConvPhases, AreWantedWhereAStrideInsertsZeros) {
  const auto inserts = [](const std::string& op, std::int64_t stride) {
    const Tensor x = random_floats({1, 2, 3, 3}, 1), w = random_floats({2, 2, 2, 2}, 2);
    const Graph graph = testing::one_node(op, {x, w}, {{"strides", ints({1, stride})}});
    return inserts_zeros(NodeView(graph, graph.nodes[0]));
  };
  EXPECT_TRUE(inserts("ConvTranspose", 2));
  EXPECT_FALSE(inserts("ConvTranspose", 1));
  EXPECT_FALSE(inserts("Conv", 2));
}

}  // namespace
}  // namespace npusim::workloads
