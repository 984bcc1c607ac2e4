// SPDX-License-Identifier: Apache-2.0
// Convolutions by Winograd: when the mapping takes them, why not, what pins say, and what weights
// take in memory.
#include "npu_models/winograd_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graphs.h"
#include "npu_models/modules/op_program.h"
#include "npu_models/tiling.h"
#include "npu_models/winograd_steps.h"
#include "support.h"
#include "tests/source_dir.h"
#include "workloads/training/transform.h"
#include "workloads/workload.h"

namespace npusim::npu {
namespace {

using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::load_shipped;
using testing::uniform_recipe;
using workloads::Attributes;

struct Layer {
  std::int64_t images = 1, channels = 64, outputs = 64, size = 28, kernel = 3, group = 1;
  std::int64_t stride = 1, dilation = 1;
  bool fixed_weights = true, bias = false;
};

workloads::Graph graph_of(const Layer& l) {
  GraphBuilder b;
  const auto x = b.input("x", {l.images, l.channels, l.size, l.size});
  const auto w = b.input("w", {l.outputs, l.channels / l.group, l.kernel, l.kernel},
                         workloads::TensorRole::weight);
  std::vector<workloads::TensorId> inputs = {x, w};
  if (l.bias) inputs.push_back(b.input("b", {l.outputs}, workloads::TensorRole::weight));
  const Attributes attributes = {
      {"pads", std::vector<std::int64_t>(4, l.dilation * (l.kernel / 2))},
      {"strides", std::vector<std::int64_t>(2, l.stride)},
      {"dilations", std::vector<std::int64_t>(2, l.dilation)},
      {"group", l.group}};
  workloads::Graph graph = b.finish({b.node("Conv", "conv", inputs, attributes)});
  if (l.fixed_weights)
    graph.tensors[static_cast<std::size_t>(w)].initializer = workloads::Initializer{};
  return graph;
}

/// With a memory that keeps its arrays busy.
NpuSpec npu_with(const std::string& mapping, std::int64_t gb_per_s = 1000) {
  return load_shipped(
      "cube16_fp16", {"mapping=" + mapping, "dram.bandwidth_gb_per_s=" + std::to_string(gb_per_s)});
}

constexpr const char* kBoth =
    "{\"winograd\": {\"output_tiles\": [\"2x2\", \"4x4\"], \"transforms\": \"array_edge\"}}";
constexpr const char* kVector = "{\"winograd\": {\"output_tiles\": [\"2x2\", \"4x4\"]}}";

std::string pinned(const std::string& pin, const std::string& options = "") {
  return "{\"winograd\": {\"output_tiles\": [\"2x2\"]" + options +
         "}, \"pins\": [{\"op\": \"*\", " + pin + "}]}";
}

MappedGraph mapped(const NpuSpec& npu, const Layer& layer, const MappedGraph* reference = nullptr) {
  return map_graph(npu, graph_of(layer), uniform_recipe(precision::fp16()), reference);
}

MappedOp only_op(const std::string& mapping, const Layer& layer = {},
                 std::int64_t gb_per_s = 1000) {
  return mapped(npu_with(mapping, gb_per_s), layer).ops.front();
}

TEST(Winograd, IsOffUnlessAFileAsks) {
  const MappedOp op = mapped(load_shipped("cube16_fp16"), Layer{}).ops.front();
  EXPECT_FALSE(op.gemm->winograd);
  EXPECT_EQ(op.not_winograd, "");
}

TEST(Winograd, TilesCoverOutputsAndMultiplyOncePerPoint) {
  Layer layer;
  layer.images = 3;
  layer.size = 7;  // 4 x 4 tiles of 2x2, 2 x 2 of 4x4
  layer.group = 2;
  for (const auto& [tile, positions, points] : {std::tuple{"2x2", 48, 16}, {"4x4", 12, 36}}) {
    const MappedOp op = only_op(pinned("\"winograd\": \"" + std::string(tile) + "\""), layer);
    ASSERT_TRUE(op.gemm->winograd);
    const workloads::Contraction& c = op.gemm->contraction;
    EXPECT_EQ(c.m, positions);
    EXPECT_EQ(c.groups, 2);
    EXPECT_EQ(c.k(), 32);
    EXPECT_EQ(op.gemm->products(), points);
    EXPECT_EQ(op.macs, points * 2 * positions * 32 * 32) << "what the array multiplies";
    EXPECT_EQ(op.gemm->winograd->convolution.macs(), 9 * 2 * 3 * 49 * 32 * 32);
    EXPECT_EQ(op.gemm->results(), 3 * 64 * 49);
    EXPECT_EQ(op.gemm->plan.terms(), 32);
  }
}

TEST(Winograd, TheLeastEstimateIsTaken) {
  int direct = 0, small = 0, large = 0;
  for (const auto& [options, gb_per_s] : {std::pair{kBoth, 1000}, {kVector, 1000}, {kBoth, 40}}) {
    for (const std::int64_t size : {4, 7, 14, 28, 56}) {
      for (const std::int64_t channels : {16, 64, 256}) {
        SCOPED_TRACE(std::to_string(size) + " " + std::to_string(channels) + options);
        Layer layer;
        layer.size = size;
        layer.channels = layer.outputs = channels;
        const NpuSpec npu = npu_with(options, gb_per_s);
        const MappedOp op = mapped(npu, layer).ops.front();
        const std::string edge =
            std::string(options) == kBoth ? ", \"transforms\": \"array_edge\"" : "";
        std::int64_t least = 0;
        std::string best;
        for (const char* form : {"direct", "2x2", "4x4"}) {
          const GemmMapping gemm =
              *only_op(pinned("\"winograd\": \"" + std::string(form) + "\"", edge), layer, gb_per_s)
                   .gemm;
          const std::int64_t cycles = estimated_cycles(npu, 2, 2, gemm);
          if (!best.empty() && cycles >= least) continue;
          least = cycles;
          best = form;
        }
        const std::string taken =
            op.gemm->winograd ? (op.gemm->winograd->outputs == 2 ? "2x2" : "4x4") : "direct";
        EXPECT_EQ(taken, best);
        EXPECT_EQ(op.not_winograd, best == "direct" ? "direct takes no longer" : "");
        direct += taken == "direct" ? 1 : 0;
        small += taken == "2x2" ? 1 : 0;
        large += taken == "4x4" ? 1 : 0;
      }
    }
  }
  EXPECT_GT(direct, 0);
  EXPECT_GT(small, 0);
  EXPECT_GT(large, 0);
}

TEST(Winograd, NoTileBeatsTheExhaustiveSearch) {
  const auto at = [](const std::string& pin, MappingSearch search, const Layer& layer) {
    NpuSpec npu = npu_with(pinned(pin), 50);
    npu.scratchpad.bytes = npu.mac_array.accumulator.memory_bytes = 96 * 1024;
    npu.mapping.search = search;
    return estimated_cycles(npu, 2, 2, *mapped(npu, layer).ops.front().gemm);
  };
  int legal = 0, illegal = 0;
  for (const std::string form : {"2x2", "4x4"}) {
    for (const std::int64_t size : {5, 9, 14}) {
      Layer layer;
      layer.size = size;
      layer.channels = 48;
      layer.outputs = 40;
      const std::string pin = "\"winograd\": \"" + form + "\"";
      const std::int64_t least = at(pin, MappingSearch::exhaustive, layer);
      EXPECT_LE(least, at(pin, MappingSearch::quick, layer));
      for (const int m : {16, 32, 48, 64})
        for (const int n : {16, 32, 40})
          for (const int k : {16, 32, 48}) {
            const std::string tile = ", \"tile\": {\"m\": " + std::to_string(m) +
                                     ", \"n\": " + std::to_string(n) +
                                     ", \"k\": " + std::to_string(k) + "}";
            try {
              EXPECT_LE(least, at(pin + tile, MappingSearch::quick, layer)) << size << tile;
              ++legal;
            } catch (const base::InputError&) {
              ++illegal;
            }
          }
    }
  }
  EXPECT_GT(legal, 50);
  EXPECT_GT(illegal, 50);
}

TEST(Winograd, SaysWhyAConvolutionIsDirect) {
  const auto reason = [](Layer layer, const NpuSpec& npu = npu_with(kVector)) {
    const MappedOp op = mapped(npu, layer).ops.front();
    EXPECT_FALSE(op.gemm->winograd);
    return op.not_winograd;
  };
  Layer layer;
  layer.stride = 2;
  EXPECT_EQ(reason(layer), "strides above 1");
  layer = {};
  layer.dilation = 2;
  EXPECT_EQ(reason(layer), "dilations above 1");
  layer = {};
  layer.kernel = 5;
  EXPECT_EQ(reason(layer), "a kernel of 5x5, not 3x3");
  layer = {};
  layer.fixed_weights = false;
  EXPECT_EQ(reason(layer), "weights are made or changed in the graph, so not transformed offline");
  NpuSpec npu = npu_with(kVector);
  npu.data_layout.im2col = Rearranging::through_dram;
  EXPECT_EQ(reason({}, npu), "its image is rearranged in DRAM");
  npu = npu_with("{\"winograd\": {\"output_tiles\": [\"4x4\"]}}");
  npu.vector_unit.cycles_per_element.erase("mul");
  EXPECT_EQ(reason({}, npu), "the vector unit has no mul");
  npu = npu_with(kVector);
  npu.vector_unit.internal = precision::fp16();
  EXPECT_EQ(reason({}, npu), "transforms in fp32, the vector unit computes in fp16");
  npu.mapping.winograd.stage = WinogradStage::array_edge;
  EXPECT_TRUE(mapped(npu, {}).ops.front().gemm->winograd) << "adders of its own";
}

TEST(Winograd, OperandsOfOtherKindsStayDirect) {
  const auto reason = [](const char* npu, const char* format, const char* weights) {
    workloads::Graph graph = graph_of({});
    graph.tensors[static_cast<std::size_t>(graph.find("w"))].stored =
        precision::format_from_name(weights);
    const NpuSpec spec = load_shipped(npu, {std::string("mapping=") + kBoth});
    const MappedOp op =
        map_graph(spec, graph, uniform_recipe(precision::format_from_name(format))).ops.front();
    EXPECT_EQ(op.engine, Engine::matrix);
    EXPECT_FALSE(op.gemm->winograd);
    return op.not_winograd;
  };
  EXPECT_EQ(reason("google_tpu_v1", "int8", "int8"), "transforms leave the range of int8");
  EXPECT_EQ(reason("nvidia_h100", "fp8_e4m3", "fp8_e5m2"), "operands in fp8_e4m3 and fp8_e5m2");
}

TEST(Winograd, PinsFixItOpByOp) {
  const MappedOp op =
      only_op(pinned("\"winograd\": \"4x4\", \"tile\": {\"m\": 7, \"n\": 16}, \"split\": {}"));
  EXPECT_EQ(op.mapping_origin, MappingOrigin::file);
  EXPECT_THAT(describe_mapping(*op.gemm), HasSubstr("winograd 4x4, tile 7 x 16 x "));
  EXPECT_THAT(describe_plan(*op.gemm), HasSubstr("winograd 4x4, transforms in fp32"));
  EXPECT_FALSE(only_op(pinned("\"winograd\": \"direct\"")).gemm->winograd);
  // A pin of tiles is for the direct convolution.
  EXPECT_FALSE(only_op(pinned("\"tile\": {\"m\": 28}")).gemm->winograd);
  const MappedOp without_section =
      only_op("{\"pins\": [{\"op\": \"conv\", \"winograd\": \"2x2\"}]}");
  EXPECT_EQ(without_section.gemm->winograd->outputs, 2);
}

TEST(Winograd, IllegalPinsAreRefusedAtTheirPlace) {
  const auto mistake = [](const std::string& mapping, const Layer& layer) {
    try {
      only_op(mapping, layer);
    } catch (const base::InputError& error) {
      return error.diagnostics().front();
    }
    return base::Diagnostic{};
  };
  Layer strided;
  strided.stride = 2;
  const base::Diagnostic stride = mistake(pinned("\"winograd\": \"2x2\""), strided);
  EXPECT_EQ(stride.pointer, "/mapping/pins/0");
  EXPECT_EQ(stride.code, "illegal-mapping");
  EXPECT_THAT(stride.message, HasSubstr("no Winograd: strides above 1"));
  EXPECT_THAT(stride.allowed, HasSubstr("tile "));
  EXPECT_THAT(
      mistake(pinned("\"winograd\": \"4x4\", \"tile\": {\"m\": 49, \"n\": 64}"), {}).message,
      HasSubstr("sums take"));
}

TEST(Winograd, ReferencesAreFollowed) {
  const NpuSpec npu = npu_with(kBoth);
  const MappedGraph free = mapped(npu, {});
  ASSERT_TRUE(free.ops.front().gemm->winograd);
  const MappedGraph direct = mapped(npu_with("{}"), {});
  EXPECT_EQ(mapped(npu, {}, &direct).hash(), direct.hash());
  NpuSpec slow = npu;
  slow.dram.bandwidth_bytes_per_cycle /= 64;
  EXPECT_EQ(mapped(slow, {}, &free).hash(), free.hash());
}

TEST(Winograd, ReferencesHandOnWhatIsInTheBits) {
  const MappedGraph there =
      mapped(npu_with(pinned("\"winograd\": \"4x4\"",
                             ", \"weights\": \"on_the_fly\", \"arithmetic\": \"bf16\"")),
             {});
  for (const std::string& own :
       {std::string("{}"), pinned("\"winograd\": \"direct\""), std::string(kBoth)}) {
    const MappedOp op = mapped(npu_with(own), {}, &there).ops.front();
    EXPECT_EQ(op.mapping_origin, MappingOrigin::reference) << op.not_pinned;
    EXPECT_EQ(describe_plan(*op.gemm), describe_plan(*there.ops.front().gemm)) << own;
    EXPECT_EQ(op.gemm->winograd->stage, WinogradStage::vector_unit) << own;
  }
  // Adders that another design does not have.
  const MappedGraph edge = mapped(npu_with(kBoth), {});
  ASSERT_TRUE(edge.ops.front().gemm->winograd);
  const MappedOp without = mapped(npu_with("{}"), {}, &edge).ops.front();
  EXPECT_EQ(without.mapping_origin, MappingOrigin::search);
  EXPECT_FALSE(without.gemm->winograd);
  EXPECT_EQ(without.not_pinned,
            "no Winograd: the reference transforms at the array's edge, where this design has no "
            "adders");
}

TEST(Winograd, CopiesOfANodeAreMappedAsTheOneInTheReference) {
  const auto graph_named = [](const std::vector<std::string>& names) {
    GraphBuilder b;
    const auto x = b.input("x", {1, 64, 28, 28});
    const auto w = b.input("w", {64, 64, 3, 3}, workloads::TensorRole::weight);
    std::vector<workloads::TensorId> outputs;
    for (const std::string& name : names)
      outputs.push_back(b.node("Conv", name, {x, w}, {{"pads", std::vector<std::int64_t>(4, 1)}}));
    workloads::Graph graph = b.finish(outputs);
    graph.tensors[static_cast<std::size_t>(w)].initializer = workloads::Initializer{};
    return graph;
  };
  const workloads::Recipe recipe = uniform_recipe(precision::fp16());
  // A pin by exact name fits one of them only.
  const std::string section =
      "{\"winograd\": {\"output_tiles\": [\"2x2\", \"4x4\"], "
      "\"transforms\": \"array_edge\"}, \"pins\": [{\"op\": \"";
  for (const std::string name : {"conv", "conv.device0"}) {
    const NpuSpec npu = npu_with(section + name + "\", \"winograd\": \"direct\"}]}");
    const MappedGraph one = map_graph(npu, graph_named({name}), recipe);
    ASSERT_FALSE(one.ops.front().gemm->winograd);
    const workloads::Graph all = graph_named({name, "conv.batch1", "conv.device3"});
    for (const MappedOp& op : map_graph(npu, all, recipe, &one).ops) {
      EXPECT_FALSE(op.gemm->winograd);
      EXPECT_EQ(describe_mapping(*op.gemm), describe_mapping(*one.ops.front().gemm));
    }
  }
}

TEST(Winograd, EveryOutputTileHasAReasonOfItsOwn) {
  NpuSpec npu = npu_with("{\"winograd\": {\"output_tiles\": [\"4x4\", \"2x2\"]}}");
  npu.vector_unit.cycles_per_element.erase("mul");
  npu.vector_unit.lanes = 1;
  EXPECT_EQ(mapped(npu, {}).ops.front().not_winograd,
            "4x4: the vector unit has no mul; 2x2: direct takes no longer");
  npu = npu_with(kBoth);
  npu.mac_array.accumulator.memory_bytes = 16 * 1024;
  const MappedOp op = mapped(npu, {}).ops.front();
  EXPECT_FALSE(op.gemm->winograd);
  EXPECT_THAT(op.not_winograd, HasSubstr("2x2: no tile fits the buffers: in one of "));
  EXPECT_THAT(op.not_winograd, HasSubstr("; 4x4: no tile fits the buffers: in one of "));
  EXPECT_THAT(op.not_winograd, HasSubstr("half of accumulator memory has 8192 bytes"));
  npu = npu_with(pinned("\"winograd\": \"4x4\""));
  npu.mac_array.accumulator.memory_bytes = 16 * 1024;
  try {
    mapped(npu, {});
    FAIL() << "a pin whose tiles do not fit";
  } catch (const base::InputError& error) {
    EXPECT_THAT(error.diagnostics().front().message, HasSubstr("sums take "));
  }
}

TEST(Winograd, ABiasCountsInTheChoice) {
  // Equal but for the bias, in one graph and each alone.
  int differ = 0;
  for (std::int64_t lanes = 4; lanes <= 4096; lanes += lanes / 4) {
    NpuSpec npu = npu_with("{\"winograd\": {\"output_tiles\": [\"2x2\"]}}");
    npu.vector_unit.lanes = lanes;
    Layer plain, biased;
    biased.bias = true;
    GraphBuilder b;
    const auto x = b.input("x", {1, 64, 28, 28});
    const auto w = b.input("w", {64, 64, 3, 3}, workloads::TensorRole::weight);
    const auto bias = b.input("b", {64}, workloads::TensorRole::weight);
    const Attributes attributes = {{"pads", std::vector<std::int64_t>(4, 1)}};
    workloads::Graph graph = b.finish({b.node("Conv", "plain", {x, w}, attributes),
                                       b.node("Conv", "biased", {x, w, bias}, attributes)});
    graph.tensors[static_cast<std::size_t>(w)].initializer = workloads::Initializer{};
    const MappedGraph both = map_graph(npu, graph, uniform_recipe(precision::fp16()));
    const std::string first = describe_mapping(*mapped(npu, plain).ops.front().gemm);
    const std::string second = describe_mapping(*mapped(npu, biased).ops.front().gemm);
    EXPECT_EQ(describe_mapping(*both.ops.at(0).gemm), first) << lanes;
    EXPECT_EQ(describe_mapping(*both.ops.at(1).gemm), second) << lanes;
    differ += first != second ? 1 : 0;
  }
  EXPECT_GT(differ, 0);
}

TEST(Winograd, WeightsThatTwoOutputTilesShareLieInTwoPlaces) {
  GraphBuilder b;
  const auto x = b.input("x", {1, 64, 28, 28});
  const auto w = b.input("w", {64, 64, 3, 3}, workloads::TensorRole::weight);
  const Attributes attributes = {{"pads", std::vector<std::int64_t>(4, 1)}};
  std::vector<workloads::TensorId> outputs;
  for (const char* name : {"small", "large", "again"})
    outputs.push_back(b.node("Conv", name, {x, w}, attributes));
  workloads::Graph graph = b.finish(outputs);
  graph.tensors[static_cast<std::size_t>(w)].initializer = workloads::Initializer{};
  const MappedGraph both =
      map_graph(npu_with("{\"pins\": [{\"op\": \"large\", \"winograd\": \"4x4\"}, {\"op\": \"*\", "
                         "\"winograd\": \"2x2\"}]}"),
                graph, uniform_recipe(precision::fp16()));
  const model::TensorLayout layout(both);
  const std::int64_t small = 64 * 64 * 16 * 2, large = 64 * 64 * 36 * 2;
  const std::uint64_t of_small = layout.transformed_address(w, small);
  const std::uint64_t of_large = layout.transformed_address(w, large);
  EXPECT_EQ(of_large, of_small + static_cast<std::uint64_t>(small));
  EXPECT_EQ(layout.end_address(), of_large + static_cast<std::uint64_t>(large));
}

TEST(Winograd, NvdlaTakesLongerThanItsSheetWherePipelinesDrain) {
  // MAC cycles of the 3x3 layers of ResNet-50 in nvdla/hw, perf/NVDLA_OpenSource_Performance.xlsx,
  // column Winograd true: 25,088 with 2,048 multipliers. Ours has half as many. The sheet counts
  // multiplications alone. Here the sums of all 16 points lie in accumulator memory together, so
  // that tiles are small, and the pipeline drains behind each product.
  const NpuSpec npu = load_shipped("nvdla_fp16_winograd",
                                   {"mapping.pins=[{\"op\": \"*\", \"winograd\": \"2x2\"}]"});
  const std::int64_t sheet = 25088 * 2;
  for (const auto& [channels, size, cycles] :
       {std::tuple{64, 56, 68096}, {128, 28, 63616}, {256, 14, 57856}}) {
    Layer layer;
    layer.channels = layer.outputs = channels;
    layer.size = size;
    const GemmMapping gemm = *mapped(npu, layer).ops.front().gemm;
    ASSERT_TRUE(gemm.winograd);
    const std::int64_t taken = array_cycles_by_cause(npu, gemm).array;
    EXPECT_EQ(taken, cycles) << channels;
    // 64 products in a tree of 6 levels, a multiplication and 4 cycles of an accumulation.
    const std::int64_t drain = 1 + 6 + 4 - 1;
    EXPECT_EQ(taken, sheet + gemm_tile_counts(gemm).total() * 16 * drain) << channels;
    EXPECT_LE(16 * gemm.tile_m * gemm.tile_n * 4, npu.mac_array.accumulator.memory_bytes / 2);
  }
}

TEST(Winograd, TransformedWeightsAreThereInTheirPlace) {
  const std::int64_t filters = 64 * 64;
  const auto weights = [](const std::string& pin, const std::string& options = "") {
    return mapped(npu_with(pinned("\"winograd\": \"" + pin + "\"", options)), {})
        .memory.most[MemoryKind::weights];
  };
  EXPECT_EQ(weights("direct"), filters * 9 * 2);
  EXPECT_EQ(weights("2x2"), filters * 16 * 2);
  EXPECT_EQ(weights("4x4"), filters * 36 * 2);
  EXPECT_EQ(weights("4x4", ", \"weights\": \"on_the_fly\""), filters * 9 * 2);
}

TEST(Winograd, ATileHoldsItsPixelsAndTheirTransforms) {
  for (const char* stage : {"vector_unit", "array_edge"}) {
    for (const char* weights : {"offline", "on_the_fly"}) {
      const std::string options =
          std::string(", \"transforms\": \"") + stage + "\", \"weights\": \"" + weights + "\"";
      NpuSpec npu = npu_with(pinned("\"winograd\": \"2x2\"", options));
      for (const std::int64_t kib : {64, 256, 1024}) {
        npu.scratchpad.bytes = kib * 1024;
        const GemmMapping gemm = *mapped(npu, {}).ops.front().gemm;
        // The first tile: rows of 4 lines that overlap by 2, or a part of one.
        const bool edge = std::string(stage) == "array_edge";
        const bool offline = std::string(weights) == "offline";
        const std::int64_t k = std::min<std::int64_t>(gemm.tile_k, 64);
        const std::int64_t pixels = gemm.tile_m < 14 ? 4 * (2 * gemm.tile_m + 2) : 4 * 28;
        std::int64_t bytes = 2 * k * pixels + 2 * k * gemm.tile_n * (offline ? 16 : 9);
        if (!edge) bytes += 2 * k * 16 * (gemm.tile_m + (offline ? 0 : gemm.tile_n));
        EXPECT_LE(bytes, npu.scratchpad.bytes / npu.scratchpad.buffers) << kib << options;
        EXPECT_LE(16 * gemm.tile_m * gemm.tile_n * gemm.accumulator_bytes,
                  npu.mac_array.accumulator.memory_bytes / 2);
      }
    }
  }
}

TEST(Winograd, TrainingTakesConvolutionsAndTheirDataGradients) {
  const workloads::Workload workload =
      workloads::load_workload(test::source_dir() + "/workloads/small_resnet.json");
  const workloads::Recipe recipe = uniform_recipe(precision::fp16());
  const workloads::Graph step = workloads::make_training_step(workload, recipe);
  const auto map = [&](const std::string& weights) {
    return map_graph(npu_with("{\"winograd\": {\"output_tiles\": [\"2x2\"], \"transforms\": "
                              "\"array_edge\", \"weights\": \"" +
                              weights + "\"}}"),
                     step, recipe);
  };
  std::map<std::string, int> taken;
  for (const MappedOp& op : map("on_the_fly").ops)
    if (op.gemm && op.gemm->winograd) ++taken[name_of(op.gemm->contraction.role)];
  EXPECT_GT(taken["fprop"], 3);
  EXPECT_GT(taken["dgrad"], 3);
  EXPECT_EQ(taken.count("wgrad"), 0U);
  for (const MappedOp& op : map("offline").ops) EXPECT_FALSE(op.gemm && op.gemm->winograd);
}

}  // namespace
}  // namespace npusim::npu
