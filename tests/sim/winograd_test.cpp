// SPDX-License-Identifier: Apache-2.0
// Values of convolutions by Winograd: every tile, point and sum worked out again here, one number
// and one rounding at a time; against the direct convolution where nothing rounds; and what larger
// tiles cost.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <optional>

#include "npu_models/numeric_hash.h"
#include "sim/numerics.h"
#include "sim/sampled_numerics.h"
#include "sim/training/step_executor.h"
#include "tests/npu_models/support.h"
#include "workloads/winograd.h"

namespace npusim::sim {
namespace {

using npu::testing::load_shipped;
using npu::testing::uniform_recipe;
using workloads::Shape;
using workloads::TensorId;
using workloads::TensorInfo;
using Values = std::vector<double>;
using Round = std::function<double(double)>;

/// To nearest even in so many significand bits; the oracle's own code, for numbers of usual size.
double rounded(double x, int bits) {
  if (x == 0.0 || !std::isfinite(x)) return x;
  int exponent = 0;
  std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(x, bits - exponent)), exponent - bits);
}
double bf16(double x) {
  return rounded(x, 8);
}
double fp32(double x) {
  return static_cast<double>(static_cast<float>(x));
}
double exact(double x) {
  return x;
}

Values spread(std::int64_t count, int seed, const Round& round) {
  Values values;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(round(std::sin(static_cast<double>(i * i % 977) + 0.37 * seed) *
                           (1.0 + static_cast<double>(i % 5) / 2)));
  return values;
}

struct Layer {
  std::int64_t images = 2, groups = 1, channels = 11, outputs = 3, height = 7, width = 6;
  std::vector<std::int64_t> pads = {1, 1, 1, 1};  ///< top, left, bottom, right
  bool bias = false;
};

/// One line of each transform, in the steps that workloads/winograd.h states.
Values input_line(const Values& d, const Round& r) {
  if (d.size() == 4) return {r(d[0] - d[2]), r(d[1] + d[2]), r(d[2] - d[1]), r(d[1] - d[3])};
  const double a = r(d[4] - r(4 * d[2])), b = r(d[3] - r(4 * d[1]));
  const double c = r(d[4] - d[2]), e = r(2 * r(d[3] - d[1]));
  const double first = r(r(r(4 * d[0]) - r(5 * d[2])) + d[4]);
  const double last = r(r(r(4 * d[1]) - r(5 * d[3])) + d[5]);
  return {first, r(a + b), r(a - b), r(c + e), r(c - e), last};
}
Values weight_line(const Values& g, std::size_t side, const Round& r) {
  const double p = r(g[0] + g[2]);
  if (side == 4) return {g[0], r(r(p + g[1]) / 2), r(r(p - g[1]) / 2), g[2]};
  const double sixth = r(1.0 / 6.0), part = r(1.0 / 24.0);
  const double q = r(g[0] + r(4 * g[2])), s = r(2 * g[1]);
  return {r(g[0] / 4),        r(-sixth * r(p + g[1])), r(-sixth * r(p - g[1])),
          r(part * r(q + s)), r(part * r(q - s)),      g[2]};
}
Values output_line(const Values& s, const Round& r) {
  if (s.size() == 4) return {r(r(s[0] + s[1]) + s[2]), r(r(s[1] - s[2]) - s[3])};
  const double a = r(s[1] + s[2]), b = r(s[1] - s[2]), c = r(s[3] + s[4]), e = r(s[3] - s[4]);
  return {r(r(s[0] + a) + c), r(b + r(2 * e)), r(a + r(4 * c)), r(r(b + r(8 * e)) + s[5])};
}

using Square = std::vector<Values>;

Square turned(const Square& from) {
  Square to(from.front().size(), Values(from.size()));
  for (std::size_t i = 0; i < from.size(); ++i)
    for (std::size_t j = 0; j < from[i].size(); ++j) to[j][i] = from[i][j];
  return to;
}
Square by_lines(const Square& rows, const std::function<Values(const Values&)>& line) {
  Square columns;
  for (const Values& column : turned(rows)) columns.push_back(line(column));
  Square result;
  for (const Values& row : turned(columns)) result.push_back(line(row));
  return result;
}

/// Where the values of a run round: operands, the array's sums, transforms, those of weights. How
/// it cuts K: tiles whose sums spill, parts that several arrays have; 0: not.
struct Machine {
  Round operand = bf16, transform = fp32, weight_transform = fp32;
  std::size_t spilling_tile = 0, part = 0;
  Round spill = bf16;
};

/// The array's sum of an 8-row column: FP32 chains of 8, added up in FP32.
double dot(const Values& a, const Values& b, const Machine& machine) {
  double sum = 0.0;
  for (std::size_t begin = 0; begin < a.size(); begin += 8) {
    double chunk = 0.0;
    for (std::size_t i = begin; i < std::min(a.size(), begin + 8); ++i)
      chunk = fp32(chunk + a[i] * b[i]);
    if (machine.spilling_tile > 0 && begin > 0 && begin % machine.spilling_tile == 0)
      sum = machine.spill(sum);
    sum = begin == 0 ? chunk : fp32(sum + chunk);
  }
  return sum;
}

double dot_of_parts(const Values& a, const Values& b, const Machine& machine) {
  if (machine.part == 0) return dot(a, b, machine);
  double sum = 0.0;
  for (std::size_t begin = 0; begin < a.size(); begin += machine.part) {
    const auto from = static_cast<std::ptrdiff_t>(begin);
    const auto to = static_cast<std::ptrdiff_t>(std::min(a.size(), begin + machine.part));
    const double part =
        dot({a.begin() + from, a.begin() + to}, {b.begin() + from, b.begin() + to}, machine);
    sum = begin == 0 ? part : fp32(sum + part);
  }
  return sum;
}

class Case {
 public:
  explicit Case(const Layer& layer, const Round& stored = bf16) : l(layer) {
    x_shape = {l.images, l.groups * l.channels, l.height, l.width};
    w_shape = {l.groups * l.outputs, l.channels, 3, 3};
    std::vector<TensorId> inputs = {add("x", x_shape, 1, x, stored),
                                    add("w", w_shape, 2, w, stored)};
    if (l.bias) inputs.push_back(add("b", {l.groups * l.outputs}, 3, b, stored));
    graph.outputs = graph.add_node("Conv", "conv", inputs, attributes(), {"y"});
  }

  workloads::Attributes attributes() const { return {{"pads", l.pads}, {"group", l.groups}}; }
  std::int64_t out_height() const { return l.height + l.pads[0] + l.pads[2] - 2; }
  std::int64_t out_width() const { return l.width + l.pads[1] + l.pads[3] - 2; }

  /// `tile`: direct, 2x2 or 4x4.
  npu::MappedGraph mapped(const std::string& tile, const std::string& options = "",
                          const precision::Format& format = precision::bf16(),
                          const std::string& pin = "",
                          const std::vector<std::string>& machine = {}) const {
    std::vector<std::string> sets = {
        "mac_array.rows=8", "mac_array.cols=8", "vector_unit.format=fp32",
        "mapping={\"winograd\": {\"output_tiles\": [\"2x2\"]" + options +
            "}, \"pins\": [{\"op\": \"*\", \"winograd\": \"" + tile + "\"" + pin + "}]}"};
    sets.insert(sets.end(), machine.begin(), machine.end());
    const npu::NpuSpec npu =
        load_shipped(format == precision::fp16() ? "systolic_8x8_fp32" : "systolic128_bf16", sets);
    return map_graph(npu, graph, uniform_recipe(format));
  }

  /// The output before it is stored, where every bit of the transforms still shows.
  Values run(const npu::MappedGraph& mapped) const {
    const precision::ParallelFor serial = precision::serial();
    StepExecutor executor(mapped, precision::fp32(), 0, serial);
    executor.load(mapped.graph.find("x"), x);
    executor.load(mapped.graph.find("w"), w);
    if (l.bias) executor.load(mapped.graph.find("b"), b);
    Values unrounded;
    const TensorId y = mapped.graph.outputs.front();
    executor.run(
        0,
        [&](const workloads::Node&, TensorId id, const Values& before, const workloads::Tensor&) {
          if (id == y) unrounded = before;
          return true;
        },
        std::vector<char>(mapped.graph.tensors.size(), 1));
    return unrounded;
  }

  double pixel(std::int64_t image, std::int64_t channel, std::int64_t row,
               std::int64_t column) const {
    if (row < 0 || row >= l.height || column < 0 || column >= l.width) return 0.0;
    const std::int64_t plane = image * l.groups * l.channels + channel;
    return x[static_cast<std::size_t>((plane * l.height + row) * l.width + column)];
  }
  double weight(std::int64_t output, std::int64_t channel, std::int64_t tap) const {
    return w[static_cast<std::size_t>((output * l.channels + channel) * 9 + tap)];
  }

  /// Calls body(image, output channel, row, column) for each output, in order.
  template <class Body>
  void for_outputs(const Body& body) const {
    for (std::int64_t image = 0; image < l.images; ++image)
      for (std::int64_t output = 0; output < l.groups * l.outputs; ++output)
        for (std::int64_t row = 0; row < out_height(); ++row)
          for (std::int64_t column = 0; column < out_width(); ++column)
            body(image, output, row, column);
  }

  /// The definition; every output's tile is worked out for it alone.
  Values by_hand(std::int64_t m, const Machine& machine) const {
    Values y;
    for_outputs([&](std::int64_t image, std::int64_t output, std::int64_t row,
                    std::int64_t column) {
      const Square tile = hand_tile(m, machine, image, output, row / m, column / m);
      double value = tile[static_cast<std::size_t>(row % m)][static_cast<std::size_t>(column % m)];
      if (l.bias) value = machine.transform(value + b[static_cast<std::size_t>(output)]);
      y.push_back(value);
    });
    return y;
  }

  Values direct(const Round& round = exact) const {
    Values y;
    for_outputs(
        [&](std::int64_t image, std::int64_t output, std::int64_t row, std::int64_t column) {
          double sum = l.bias ? b[static_cast<std::size_t>(output)] : 0.0;
          for (std::int64_t c = 0; c < l.channels; ++c)
            for (std::int64_t tap = 0; tap < 9; ++tap)
              sum += pixel(image, output / l.outputs * l.channels + c, row + tap / 3 - l.pads[0],
                           column + tap % 3 - l.pads[1]) *
                     weight(output, c, tap);
          y.push_back(round(sum));
        });
    return y;
  }

  Layer l;
  Shape x_shape, w_shape;
  workloads::Graph graph;
  Values x, w, b;

 private:
  TensorId add(const std::string& name, const Shape& shape, int seed, Values& to,
               const Round& stored) {
    TensorInfo info;
    info.name = name;
    info.shape = shape;
    info.role = name == "x" ? workloads::TensorRole::input : workloads::TensorRole::weight;
    info.initializer = workloads::Initializer{};
    to = spread(workloads::element_count(shape), seed, stored);
    const TensorId id = graph.add_tensor(info);
    if (name == "x") graph.inputs.push_back(id);
    return id;
  }

  Square hand_tile(std::int64_t m, const Machine& machine, std::int64_t image, std::int64_t output,
                   std::int64_t tile_row, std::int64_t tile_column) const {
    const auto side = static_cast<std::size_t>(m + 2);
    // By point: the terms of its sum.
    std::vector<std::pair<Values, Values>> terms(side * side);
    for (std::int64_t c = 0; c < l.channels; ++c) {
      Square pixels(side, Values(side)), taps(3, Values(3));
      for (std::size_t i = 0; i < side; ++i)
        for (std::size_t j = 0; j < side; ++j)
          pixels[i][j] = pixel(image, output / l.outputs * l.channels + c,
                               tile_row * m - l.pads[0] + static_cast<std::int64_t>(i),
                               tile_column * m - l.pads[1] + static_cast<std::int64_t>(j));
      for (std::size_t tap = 0; tap < 9; ++tap)
        taps[tap / 3][tap % 3] = weight(output, c, static_cast<std::int64_t>(tap));
      const Square v =
          by_lines(pixels, [&](const Values& line) { return input_line(line, machine.transform); });
      const Square u = by_lines(taps, [&](const Values& line) {
        return weight_line(line, side, machine.weight_transform);
      });
      for (std::size_t p = 0; p < terms.size(); ++p) {
        terms[p].first.push_back(machine.operand(u[p / side][p % side]));
        terms[p].second.push_back(machine.operand(v[p / side][p % side]));
      }
    }
    Square sums(side, Values(side));
    for (std::size_t p = 0; p < terms.size(); ++p)
      sums[p / side][p % side] =
          machine.transform(dot_of_parts(terms[p].first, terms[p].second, machine));
    return by_lines(sums, [&](const Values& line) { return output_line(line, machine.transform); });
  }
};

std::vector<Layer> layers() {
  Layer plain, grouped, shifted, small;
  grouped.groups = 2;
  grouped.channels = 5;
  grouped.bias = true;
  shifted.pads = {0, 2, 1, 0};
  shifted.height = 5;
  shifted.width = 9;
  small.images = 1;
  small.channels = 1;
  small.height = small.width = 3;
  small.pads = {0, 0, 0, 0};
  small.bias = true;
  return {plain, grouped, shifted, small};
}

TEST(WinogradValues, AreThoseOfEveryTileByHand) {
  for (const Layer& layer : layers()) {
    const Case c(layer);
    for (const std::int64_t m : {2, 4}) {
      const std::string tile = m == 2 ? "2x2" : "4x4";
      SCOPED_TRACE(tile + " " + std::to_string(layer.channels));
      Machine machine;
      EXPECT_EQ(c.run(c.mapped(tile, ", \"weights\": \"on_the_fly\"")), c.by_hand(m, machine));
      machine.weight_transform = exact;
      EXPECT_EQ(c.run(c.mapped(tile)), c.by_hand(m, machine)) << "weights in FP64";
    }
  }
}

TEST(WinogradValues, TransformsRoundInTheirArithmetic) {
  for (const Layer& layer : layers()) {
    const Case c(layer);
    for (const std::int64_t m : {2, 4}) {
      const Machine narrow{bf16, bf16, bf16};
      const Values y = c.run(c.mapped(m == 2 ? "2x2" : "4x4",
                                      ", \"weights\": \"on_the_fly\", \"arithmetic\": \"bf16\", "
                                      "\"transforms\": \"array_edge\""));
      EXPECT_EQ(y, c.by_hand(m, narrow));
      if (layer.channels > 1) {
        EXPECT_NE(y, c.by_hand(m, Machine{}));
      }
    }
  }
}

TEST(WinogradValues, FollowTheCutsOfK) {
  Layer layer;
  layer.channels = 43;
  layer.groups = 2;
  layer.bias = true;
  const Case c(layer);
  for (const std::int64_t m : {2, 4}) {
    const std::string tile = m == 2 ? "2x2" : "4x4";
    SCOPED_TRACE(tile);
    const auto run = [&](const std::string& pin, const std::vector<std::string>& machine = {}) {
      return c.run(
          c.mapped(tile, ", \"weights\": \"on_the_fly\"", precision::bf16(), pin, machine));
    };
    Machine machine;
    const Values whole = c.by_hand(m, machine);
    EXPECT_EQ(run(", \"tile\": {\"k\": 16}"), whole) << "sums stay in accumulator memory";
    machine.spilling_tile = 16;
    EXPECT_EQ(run(", \"tile\": {\"m\": 4, \"k\": 16}, \"loop_order\": \"weight_resident\"",
                  {"mac_array.accumulator.spill={\"format\": \"bf16\"}"}),
              c.by_hand(m, machine));
    EXPECT_NE(c.by_hand(m, machine), whole);
    machine.spilling_tile = 0;
    machine.part = 24;
    EXPECT_EQ(run(", \"tile\": {\"k\": 24}, \"split\": {\"k\": 2}", {"mac_array.arrays=2"}),
              c.by_hand(m, machine));
    EXPECT_NE(c.by_hand(m, machine), whole);
    machine.part = 16;
    EXPECT_EQ(run(", \"tile\": {\"k\": 8}, \"split\": {\"k\": 3}", {"mac_array.arrays=3"}),
              c.by_hand(m, machine));
  }
}

constexpr const char* kExact =
    ", \"weights\": \"on_the_fly\", \"transforms\": \"array_edge\", \"arithmetic\": \"fp64\"";

/// Small whole numbers: nothing rounds in FP16 operands and FP32 sums. Weights are multiples of 24
/// * 24.
Case of_integers(Layer layer) {
  Case c(layer);
  const auto whole = [](Values& values, double scale) {
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = scale * (static_cast<double>(i * i % 7) - 3.0);
  };
  whole(c.x, 1.0);
  whole(c.w, 576.0);
  whole(c.b, 5.0);
  return c;
}

TEST(WinogradValues, WithoutRoundingAreThoseOfTheDirectConvolution) {
  for (const Layer& layer : layers()) {
    const Case c = of_integers(layer);
    const Values direct = c.direct();
    for (const char* tile : {"direct", "2x2", "4x4"})
      EXPECT_EQ(c.run(c.mapped(tile, kExact, precision::fp16())), direct) << tile;
  }
}

TEST(WinogradValues, BandsOfRowsMeetInsideAnImage) {
  // 16 points of 1024 tiles a row and 43 channels: five of eight rows of tiles in the first band.
  Layer wide;
  wide.channels = 40;
  wide.width = 2048;
  const Case c = of_integers(wide);
  EXPECT_EQ(c.run(c.mapped("2x2", kExact, precision::fp16())), c.direct());
}

double distance(const Values& y, const Values& reference) {
  double off = 0.0, all = 0.0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    off += (y[i] - reference[i]) * (y[i] - reference[i]);
    all += reference[i] * reference[i];
  }
  return std::sqrt(off / all);
}

TEST(WinogradValues, ErrorsGrowWithTheTile) {
  const auto fp16 = [](double x) { return rounded(x, 11); };
  for (const std::int64_t channels : {4, 16, 48}) {
    Layer layer;
    layer.channels = channels;
    layer.height = layer.width = 12;
    const Case c(layer, fp16);
    const auto error = [&](const char* tile) {
      return distance(c.run(c.mapped(tile, "", precision::fp16())), c.direct());
    };
    const double direct = error("direct"), small = error("2x2"), large = error("4x4");
    EXPECT_LT(10 * direct, small) << channels << ": operands of the direct one are exact";
    EXPECT_LT(2 * small, large) << channels;
    EXPECT_LT(large, 0x1p-6) << channels;
  }
}

/// The data gradient of a forward layer with this dy.
Case gradient_of(const Case& forward, const Values& dy) {
  const Layer& layer = forward.l;
  const Shape dy_shape{layer.images, layer.groups * layer.outputs, forward.out_height(),
                       forward.out_width()};
  Case backward = forward;
  backward.graph = {};
  backward.l.bias = false;
  std::vector<TensorId> inputs;
  for (const auto& [name, shape] : {std::pair{"x", dy_shape}, {"w", forward.w_shape}}) {
    TensorInfo info;
    info.name = name;
    info.shape = shape;
    info.initializer = workloads::Initializer{};
    inputs.push_back(backward.graph.add_tensor(info));
  }
  backward.x = dy;
  workloads::Attributes attributes = forward.attributes();
  attributes["x_shape"] = forward.x_shape;
  backward.graph.outputs =
      backward.graph.add_node("ConvDataGradient", "dgrad", inputs, attributes, {"dx"});
  return backward;
}

TEST(WinogradValues, DataGradientsAreThoseOfEveryTileByHand) {
  for (const Layer& layer : layers()) {
    const Case forward(layer);
    const Values dy = spread(
        layer.images * layer.groups * layer.outputs * forward.out_height() * forward.out_width(), 7,
        bf16);
    // A convolution of dy, its weights turned and the other way round.
    Layer turned = layer;
    std::swap(turned.channels, turned.outputs);
    turned.height = forward.out_height();
    turned.width = forward.out_width();
    turned.bias = false;
    for (std::int64_t& pad : turned.pads) pad = 2 - pad;
    Case convolution(turned);
    convolution.x = dy;
    for (std::int64_t g = 0; g < layer.groups; ++g)
      for (std::int64_t k = 0; k < layer.outputs; ++k)
        for (std::int64_t channel = 0; channel < layer.channels; ++channel)
          for (std::int64_t tap = 0; tap < 9; ++tap)
            convolution.w[static_cast<std::size_t>(
                ((g * layer.channels + channel) * layer.outputs + k) * 9 + 8 - tap)] =
                forward.weight(g * layer.outputs + k, channel, tap);
    const Case backward = gradient_of(forward, dy);
    for (const std::int64_t m : {2, 4})
      EXPECT_EQ(
          backward.run(backward.mapped(m == 2 ? "2x2" : "4x4", ", \"weights\": \"on_the_fly\"")),
          convolution.by_hand(m, Machine{}))
          << m << " " << layer.channels;
  }
}

TEST(WinogradValues, TheDataGradientIsAConvolutionOfItsOwn) {
  for (const Layer& layer : layers()) {
    Case forward = of_integers(layer);
    // dy of the forward layer's shape; dx by the definition.
    const Shape dy_shape{layer.images, layer.groups * layer.outputs, forward.out_height(),
                         forward.out_width()};
    Values dy;
    for (std::int64_t i = 0; i < workloads::element_count(dy_shape); ++i)
      dy.push_back(static_cast<double>(i * i % 5) - 2.0);
    Values dx(forward.x.size(), 0.0);
    std::size_t at = 0;
    forward.for_outputs([&](std::int64_t image, std::int64_t output, std::int64_t row,
                            std::int64_t column) {
      const double gradient = dy[at++];
      for (std::int64_t c = 0; c < layer.channels; ++c)
        for (std::int64_t tap = 0; tap < 9; ++tap) {
          const std::int64_t y = row + tap / 3 - layer.pads[0];
          const std::int64_t x = column + tap % 3 - layer.pads[1];
          if (y < 0 || y >= layer.height || x < 0 || x >= layer.width) continue;
          const std::int64_t plane =
              image * layer.groups * layer.channels + output / layer.outputs * layer.channels + c;
          dx[static_cast<std::size_t>((plane * layer.height + y) * layer.width + x)] +=
              gradient * forward.weight(output, c, tap);
        }
    });
    const Case backward = gradient_of(forward, dy);
    for (const char* tile : {"direct", "2x2", "4x4"}) {
      const npu::MappedGraph mapped = backward.mapped(tile, kExact, precision::fp16());
      EXPECT_EQ(backward.run(mapped), dx) << tile;
    }
  }
}

TEST(WinogradValues, HashesFollowWhatIsInTheBits) {
  const Case c(Layer{});
  const auto hash = [&](const std::string& tile, const std::string& options) {
    return npu::numeric_hash(c.mapped(tile, options));
  };
  const std::string usual = hash("2x2", "");
  EXPECT_NE(hash("direct", ""), usual);
  EXPECT_NE(hash("4x4", ""), usual);
  EXPECT_NE(hash("2x2", ", \"weights\": \"on_the_fly\""), usual);
  EXPECT_NE(hash("2x2", ", \"arithmetic\": \"bf16\""), usual);
  EXPECT_EQ(hash("2x2", ", \"transforms\": \"array_edge\""), usual) << "moves no bit";
  EXPECT_NE(c.mapped("2x2", ", \"transforms\": \"array_edge\"").hash(), c.mapped("2x2").hash());
}

TEST(WinogradValues, SamplesSkipThemAndCountTheirWork) {
  const Case c(Layer{});
  double done = 0.0;
  NumericOptions options;
  options.progress = [&](double macs, const std::string&) { done += macs; };
  sample_numerics(c.mapped("2x2"), options, precision::serial());
  EXPECT_EQ(done, static_cast<double>(c.graph.mac_count())) << "what the total counts";
  const precision::ParallelFor serial = precision::serial();
  const auto skipped = [&](const std::string& tile) {
    return sample_numerics(c.mapped(tile), {}, serial).skipped;
  };
  EXPECT_EQ(skipped("direct").count("Conv"), 0U);
  EXPECT_EQ(skipped("2x2").at("Conv"), 1);
}

/// Matrices as they are published (Lavin, Gray 2016): transforms of whole numbers against them.
using Matrix = std::vector<Values>;

Values product(const Matrix& m, const Values& square) {
  const std::size_t n = m.front().size(), w = m.size();
  Values result(w * w, 0.0);
  for (std::size_t i = 0; i < w; ++i)
    for (std::size_t j = 0; j < w; ++j)
      for (std::size_t k = 0; k < n; ++k)
        for (std::size_t l = 0; l < n; ++l)
          result[i * w + j] += m[i][k] * square[k * n + l] * m[j][l];
  return result;
}

TEST(WinogradTransforms, AreThePublishedMatrices) {
  const Matrix b2 = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
  const Matrix g2 = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
  const Matrix a2 = {{1, 1, 1, 0}, {0, 1, -1, -1}};
  const Matrix b4 = {{4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0},
                     {0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
  const double s = 1.0 / 6, t = 1.0 / 24;
  const Matrix g4 = {{.25, 0, 0},       {-s, -s, -s},       {-s, s, -s},
                     {t, 2 * t, 4 * t}, {t, -2 * t, 4 * t}, {0, 0, 1}};
  const Matrix a4 = {
      {1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}};
  const auto values = [](std::size_t count, double scale) {
    Values square;
    for (std::size_t i = 0; i < count; ++i)
      square.push_back(scale * static_cast<double>(i * i * 7 % 23) - 11 * scale);
    return square;
  };
  for (const std::int64_t m : {2, 4}) {
    const auto side = static_cast<std::size_t>(m + 2);
    const workloads::WinogradTransforms transforms(m, precision::Rounder());
    const Values pixels = values(side * side, 1.0), taps = values(9, 576.0);
    Values v(side * side), u(side * side), y(static_cast<std::size_t>(m * m));
    transforms.input(pixels.data(), v.data());
    transforms.weights(taps.data(), u.data());
    transforms.output(pixels.data(), y.data());
    EXPECT_EQ(v, product(m == 2 ? b2 : b4, pixels));
    EXPECT_EQ(y, product(m == 2 ? a2 : a4, pixels));
    const Values exact_u = product(m == 2 ? g2 : g4, taps);
    for (std::size_t i = 0; i < u.size(); ++i) EXPECT_NEAR(u[i], exact_u[i], 1e-9) << i;
  }
}

TEST(WinogradTransforms, CountTheirOperations) {
  // F(2x2): 8, 7 and 6 lines of 4, 5 and 4 operations.
  EXPECT_EQ(workloads::winograd_input_operations(2).add, 32);
  EXPECT_EQ(workloads::winograd_input_operations(2).mul, 0);
  EXPECT_EQ(workloads::winograd_weight_operations(2).add, 7 * 3);
  EXPECT_EQ(workloads::winograd_weight_operations(2).mul, 7 * 2);
  EXPECT_EQ(workloads::winograd_output_operations(2).add, 24);
  EXPECT_EQ(workloads::winograd_output_operations(2).mul, 0);
  EXPECT_EQ(workloads::winograd_input_operations(4).add, 12 * 12);
  EXPECT_EQ(workloads::winograd_input_operations(4).mul, 12 * 7);
  EXPECT_EQ(workloads::winograd_weight_operations(4).add, 9 * 6);
  EXPECT_EQ(workloads::winograd_weight_operations(4).mul, 9 * 7);
  EXPECT_EQ(workloads::winograd_output_operations(4).add, 10 * 10);
  EXPECT_EQ(workloads::winograd_output_operations(4).mul, 10 * 3);
}

}  // namespace
}  // namespace npusim::sim
