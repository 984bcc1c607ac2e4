// SPDX-License-Identifier: Apache-2.0
// Bits and cycles of a data gradient that skips its inserted zeros, the bits against code of its
// own (an 8x8 weight-stationary array cuts K every 8 rows), and of images in other orders.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/array_file.h"
#include "base/isolated.h"
#include "npu_models/mapping.h"
#include "npu_models/timing.h"
#include "sim/numerics.h"
#include "tests/npu_models/support.h"

namespace npusim::sim {
namespace {

using Integers = std::vector<std::int64_t>;
constexpr std::int64_t kFilters = 5, kChannels = 3, kIn = 7, kOut = 4, kKernel = 3;

/// Round to nearest even of a finite binary32.
float bf16(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0x7FFFU + (bits >> 16 & 1U)) & 0xFFFF0000U;
  std::memcpy(&x, &bits, sizeof bits);
  return x;
}

std::vector<double> some_values(std::int64_t count, int seed) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(static_cast<double>(bf16(std::sin(static_cast<float>(i * 7 + seed)))));
  return values;
}

/// dx of a Conv with 3x3 windows of stride 2 over 7x7 pixels, padded by 1.
workloads::Graph data_gradient() {
  workloads::Graph graph;
  workloads::TensorInfo dy;
  dy.name = "dy";
  dy.shape = {1, kFilters, kOut, kOut};
  dy.initializer = workloads::Initializer{};
  workloads::TensorInfo w;
  w.name = "w";
  w.shape = {kFilters, kChannels, kKernel, kKernel};
  w.role = workloads::TensorRole::weight;
  w.initializer = workloads::Initializer{};
  graph.inputs = {graph.add_tensor(dy)};
  const workloads::TensorId weights = graph.add_tensor(w);
  graph.outputs = graph.add_node("ConvDataGradient", "dx", {graph.inputs[0], weights},
                                 {{"strides", Integers{2, 2}},
                                  {"pads", Integers{1, 1, 1, 1}},
                                  {"x_shape", Integers{1, kChannels, kIn, kIn}}},
                                 {"dx"});
  return graph;
}

npu::NpuSpec npu_that(const std::string& zeros) {
  return npu::testing::load_shipped("systolic_8x8_fp32",
                                    {"data_layout={\"zero_insertion\": \"" + zeros + "\"}"});
}

npu::MappedGraph mapped(const std::string& zeros) {
  return map_graph(npu_that(zeros), data_gradient(),
                   npu::testing::uniform_recipe(precision::bf16()));
}

/// Terms that meet no inserted zero, in the order (filter, row, column) of the window; FP32 chains
/// of eight, added up.
double element(const std::vector<double>& dy, const std::vector<double>& w, std::int64_t channel,
               std::int64_t y, std::int64_t x) {
  std::vector<float> products;
  for (std::int64_t f = 0; f < kFilters; ++f)
    for (std::int64_t r = 0; r < kKernel; ++r)
      for (std::int64_t s = 0; s < kKernel; ++s) {
        if ((y + 1 - r) % 2 != 0 || (x + 1 - s) % 2 != 0) continue;
        const std::int64_t oy = (y + 1 - r) / 2, ox = (x + 1 - s) / 2;
        const bool inside = y + 1 >= r && x + 1 >= s && oy < kOut && ox < kOut;
        const double gradient =
            inside ? dy[static_cast<std::size_t>((f * kOut + oy) * kOut + ox)] : 0.0;
        const double weight =
            w[static_cast<std::size_t>(((f * kChannels + channel) * kKernel + r) * kKernel + s)];
        products.push_back(static_cast<float>(gradient * weight));  // exact
      }
  float sum = 0.0F;
  for (std::size_t first = 0; first < products.size(); first += 8) {
    float chain = 0.0F;
    for (std::size_t i = first; i < std::min(first + 8, products.size()); ++i) chain += products[i];
    sum = first == 0 ? chain : sum + chain;
  }
  return static_cast<double>(bf16(sum));
}

TEST(SkippedZeros, HaveTheBitsOfTheChainsWithoutThem) {
  char name[] = "/tmp/npusim_phases_XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const std::string folder = name;
  const std::vector<double> dy = some_values(kFilters * kOut * kOut, 1);
  const std::vector<double> w = some_values(kFilters * kChannels * kKernel * kKernel, 2);
  base::write_npy(folder + "/dy.npy", {base::ElementKind::f64, {1, kFilters, kOut, kOut}, dy});
  base::write_npy(folder + "/w.npy",
                  {base::ElementKind::f64, {kFilters, kChannels, kKernel, kKernel}, w});
  NumericOptions options;
  options.files = {{"dy", folder + "/dy.npy"}, {"w", folder + "/w.npy"}};
  options.dump_folder = folder;
  const Numerics numerics = execute(mapped("skip"), npu::testing::uniform_recipe(precision::bf16()),
                                    options, precision::serial());
  const base::ArrayData dx = base::read_npy(folder + "/dx.npy");
  std::filesystem::remove_all(folder);
  ASSERT_EQ(dx.shape, (Integers{1, kChannels, kIn, kIn}));
  std::size_t i = 0;
  for (std::int64_t channel = 0; channel < kChannels; ++channel)
    for (std::int64_t y = 0; y < kIn; ++y)
      for (std::int64_t x = 0; x < kIn; ++x, ++i)
        ASSERT_EQ(dx.values.at(i), element(dy, w, channel, y, x))
            << channel << " " << y << " " << x;
  ASSERT_EQ(numerics.by_op.size(), 5U);  // four phases and what joins them
  EXPECT_GT(numerics.by_op[3].local.rel_fro, 0.0);
  EXPECT_EQ(numerics.outputs.at(0).error.nan, 0);
}

npu::TimingResult timed(const std::string& zeros, npu::Fidelity fidelity) {
  const auto outcome = base::run_isolated(1, 1, [&](std::size_t) {
    npu::SimulationOptions options;
    options.fidelity = fidelity;
    return npu::serialize(npu::simulate(npu_that(zeros), mapped(zeros), options));
  });
  if (!outcome.at(0).ok) throw std::runtime_error(outcome[0].error);
  return npu::parse_timing(outcome[0].payload);
}

TEST(SkippedZeros, TakeTheCyclesOfTheirPhases) {
  const npu::TimingResult skipped = timed("skip", npu::Fidelity::tile);
  const npu::TimingResult whole = timed("implicit", npu::Fidelity::tile);
  // by row (column) of the image: one tap for even ones, two for odd ones: 4 + 2 * 3 = 10
  EXPECT_EQ(skipped.macs, kFilters * kChannels * 10 * 10);
  EXPECT_EQ(whole.macs, kFilters * kChannels * 21 * 21);
  EXPECT_LT(skipped.busy_cycles, whole.busy_cycles);
  std::int64_t charged = skipped.busy_cycles;
  for (const auto& [cause, cycles] : skipped.stall_cycles) charged += cycles;
  EXPECT_EQ(charged, skipped.cycles * skipped.arrays);
  // every element clocked: the same cycles and, inside, the bits of the plan
  EXPECT_EQ(timed("skip", npu::Fidelity::pe).cycles, skipped.cycles);
  // dx is stored once
  std::int64_t written = 0;
  for (const npu::OpTiming& op : skipped.ops) written += op.dram_write_bytes;
  EXPECT_EQ(written, kChannels * kIn * kIn * 2);
}

/// conv, pool, conv over an image of 3 channels, all values drawn.
workloads::Graph small_network() {
  workloads::Graph graph;
  const auto drawn = [&](const char* name, const workloads::Shape& shape,
                         workloads::TensorRole role) {
    workloads::TensorInfo info;
    info.name = name;
    info.shape = shape;
    info.role = role;
    info.initializer = workloads::Initializer{};
    info.initializer->kind = workloads::Initializer::Kind::normal;
    return graph.add_tensor(info);
  };
  const auto x = drawn("x", {1, 3, 9, 9}, workloads::TensorRole::input);
  const auto first = drawn("first.weight", {5, 3, 3, 3}, workloads::TensorRole::weight);
  const auto second = drawn("second.weight", {4, 5, 3, 3}, workloads::TensorRole::weight);
  graph.inputs = {x};
  const auto y = graph.add_node("Conv", "first", {x, first}, {}, {"first.out"});
  const auto pooled =
      graph.add_node("MaxPool", "pool", {y[0]}, {{"kernel_shape", Integers{2, 2}}}, {"pool.out"});
  graph.outputs = graph.add_node("Conv", "second", {pooled[0], second}, {}, {"y"});
  return graph;
}

/// A sum of a pooled image and what a convolution leaves, whose order the two do not share.
workloads::Graph residual_sum() {
  workloads::Graph graph = small_network();
  graph.nodes.clear();
  const workloads::TensorId x = graph.inputs[0];
  workloads::TensorInfo info = graph.tensor(graph.find("first.weight"));
  info.name = "square.weight";
  info.shape = {3, 3, 1, 1};
  const auto weights = graph.add_tensor(info);
  const auto pooled = graph.add_node("MaxPool", "square_pool", {x},
                                     {{"kernel_shape", Integers{1, 1}}}, {"square_pool.out"});
  const auto y = graph.add_node("Conv", "square", {x, weights}, {}, {"square.out"});
  graph.outputs = graph.add_node("Add", "sum", {pooled[0], y[0]}, {}, {"sum"});
  return graph;
}

TEST(ChangedOrder, LeavesTheSumBehindAConvolutionUnrounded) {
  const workloads::Recipe recipe = npu::testing::uniform_recipe(precision::bf16());
  const auto bits_with = [&](const std::string& settings) {
    const npu::NpuSpec npu =
        npu::testing::load_shipped("systolic_8x8_fp32", {"data_layout=" + settings});
    return execute(map_graph(npu, residual_sum(), recipe), recipe, {}, precision::serial())
        .output_bits_hash;
  };
  EXPECT_EQ(bits_with(R"({"channel_order": {"array": "any", "vector_unit": "nhwc"}})"),
            bits_with("{}"));
}

TEST(ChangedOrder, OfChannelsKeepsValuesAndCostsItsBytes) {
  const auto npu_with = [](const std::string& settings) {
    return npu::testing::load_shipped("systolic_8x8_fp32", {"data_layout=" + settings});
  };
  const npu::NpuSpec plain = npu_with("{}");
  const npu::NpuSpec ordered =
      npu_with(R"({"channel_order": {"array": "nchwc", "block": 4, "vector_unit": "nchw"}})");
  const workloads::Recipe recipe = npu::testing::uniform_recipe(precision::bf16());
  const auto timed_on = [&](const npu::NpuSpec& npu) {
    const auto outcome = base::run_isolated(1, 1, [&](std::size_t) {
      return npu::serialize(npu::simulate(npu, map_graph(npu, small_network(), recipe)));
    });
    if (!outcome.at(0).ok) throw std::runtime_error(outcome[0].error);
    return npu::parse_timing(outcome[0].payload);
  };
  const auto bits_on = [&](const npu::NpuSpec& npu) {
    return execute(map_graph(npu, small_network(), recipe), recipe, {}, precision::serial())
        .output_bits_hash;
  };
  EXPECT_EQ(bits_on(plain), bits_on(ordered));
  const npu::TimingResult before = timed_on(plain), after = timed_on(ordered);
  std::int64_t changing = 0;
  std::vector<std::string> changes;
  for (const npu::OpTiming& op : after.ops)
    if (op.rearranging.count("channel_order_dram_bytes") != 0) {
      changing += op.rearranging.at("channel_order_dram_bytes");
      changes.push_back(op.node);
      EXPECT_GT(op.vector_cycles, 0);
    }
  EXPECT_EQ(changes,
            (std::vector<std::string>{"x.nchwc", "first.out.nchw", "pool.out.nchwc", "y.nchw"}));
  // 9x9 pixels of 3 channels in 4; 7x7 of 5 in 8, and back; 6x6 of 5 in 8; 4x4 of 4 in 4
  const std::int64_t moved = 81 * (3 + 4) + 49 * (8 + 5) + 36 * (5 + 8) + 0;
  // four channels of one block are nhwc, which 4x4 pixels are not in nchw: 4 + 4
  EXPECT_EQ(changing, 2 * (moved + 16 * (4 + 4)));
  // beside them the first convolution stores 8 channels where it has 5
  EXPECT_EQ(after.dram_bytes - before.dram_bytes, changing + 2 * 49 * 3);
  std::int64_t charged = after.busy_cycles;
  for (const auto& [cause, cycles] : after.stall_cycles) charged += cycles;
  EXPECT_EQ(charged, after.cycles * after.arrays);
}

}  // namespace
}  // namespace npusim::sim
