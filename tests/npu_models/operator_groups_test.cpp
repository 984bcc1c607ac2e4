// SPDX-License-Identifier: Apache-2.0
// Groups of the operator table, shape limits, formats inside, and inputs with units of their own.
#include <gmock/gmock.h>

#include <fstream>

#include "graphs.h"
#include "npu_models/input_units.h"
#include "npu_models/mapping.h"
#include "npu_models/npu_file.h"
#include "support.h"
#include "tests/source_dir.h"

namespace npusim::npu {
namespace {

using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::load_shipped;
using testing::uniform_recipe;

/// A copy of systolic128_bf16 with another operator table.
std::string with_table(const std::string& table) {
  const std::string path = testing::edited_copy(testing::shipped_npu("systolic128_bf16"), {});
  std::ofstream(path) << R"({"schema_version": 1, "kind": "npu", "extends": ")"
                      << testing::shipped_npu("systolic128_bf16")
                      << R"(", "sources": {"": {"status": "assumed", "source": "a test"}},
                            "operators": {"groups": null, "ops": null}})";
  const std::string child = testing::edited_copy(path, {});
  std::ofstream(child) << R"({"schema_version": 1, "kind": "npu", "extends": ")" << path
                       << R"(", "sources": {"": {"status": "assumed", "source": "a test"}},
                             "operators": {"groups": )"
                       << table << "}}";
  return child;
}

TEST(OperatorGroups, NamesBeatTrainingBeatsClassBeatsAll) {
  const NpuSpec npu = load_npu(with_table(R"({
    "one": {"ops": ["Relu", "ReluGradient"], "support": "native"},
    "rest": {"ops": ["@all"], "support": "unsupported"},
    "train": {"ops": ["@training"], "support": "unknown"},
    "vector": {"ops": ["@vector"], "support": "host"}})"));
  const auto group = [&](const char* op) { return npu.operators.entries.at(op).group; };
  EXPECT_EQ(group("Relu"), "one");
  EXPECT_EQ(group("ReluGradient"), "one");
  EXPECT_EQ(group("SigmoidGradient"), "train");
  EXPECT_EQ(group("Sigmoid"), "vector");
  EXPECT_EQ(group("Conv"), "rest");
  EXPECT_EQ(group("Flatten"), "rest");
}

TEST(OperatorGroups, MistakesStandInTheirPlaces) {
  const auto mistakes = testing::mistakes_of_npu(with_table(R"({
    "a": {"ops": ["Relu", "@vectors"], "support": "native"},
    "b": {"ops": ["Relu", "Sigmoid"], "support": "native"},
    "c": {"ops": ["Softmax"], "support": "decomposed", "limits": {"max_rank": 0}}})"));
  std::vector<std::string> places;
  for (const auto& mistake : mistakes) places.push_back(mistake.code + " " + mistake.pointer);
  EXPECT_THAT(places,
              ::testing::UnorderedElementsAre("unknown-value /operators/groups/a/ops/1",
                                              "duplicate /operators/groups/b/ops/0",
                                              "illegal-combination /operators/groups/c/ops/0",
                                              "out-of-range /operators/groups/c/limits/max_rank"));
}

/// Verdict on a max-pool of x with a square window.
Verdict pool_verdict(const ShapeLimits& limits, workloads::Shape shape, std::int64_t side) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  npu.operators.entries["MaxPool"] = {Support::native, {}, Support::host, "", limits, ""};
  GraphBuilder b;
  const auto x = b.input("x", std::move(shape));
  const workloads::Graph graph = b.finish(
      {b.node("MaxPool", "pool", {x}, {{"kernel_shape", std::vector<std::int64_t>{side, side}}})});
  const workloads::Recipe recipe = uniform_recipe(precision::bf16());
  return judge(npu, graph, graph.nodes.front(), workloads::storage_formats(graph, recipe), recipe);
}

TEST(ShapeLimits, EachOneIsJudgedAndNamed) {
  const auto gap = [](const ShapeLimits& limits, std::int64_t batch, std::int64_t side) {
    const Verdict verdict = pool_verdict(limits, {batch, 3, 40, 40}, side);
    EXPECT_EQ(verdict.support == Support::native, verdict.gap == Gap::none);
    EXPECT_TRUE(verdict.gap == Gap::none || verdict.gap == Gap::shape);
    return verdict.reason;
  };
  ShapeLimits none, rank, dimension, batch, kernel;
  rank.max_rank = 3;
  dimension.max_dimension = 39;
  batch.max_batch = 1;
  kernel.max_kernel = 8;
  EXPECT_EQ(gap(none, 2, 9), "");
  EXPECT_THAT(gap(rank, 1, 2), HasSubstr("rank 4 is more than 3"));
  EXPECT_THAT(gap(dimension, 1, 2), HasSubstr("dimension 40 is more than 39"));
  EXPECT_EQ(gap(batch, 1, 2), "");
  EXPECT_THAT(gap(batch, 2, 2), HasSubstr("batch 2 is more than 1"));
  EXPECT_EQ(gap(kernel, 1, 8), "");
  EXPECT_THAT(gap(kernel, 1, 9), HasSubstr("kernel side 9 is more than 8"));
}

// Moves and selections are exact in any format; a soft-max is not.
TEST(Capability, StepsInsideNeedTheRecipesPrecision) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  npu.vector_unit.internal = precision::fp16();
  GraphBuilder b;
  const auto x = b.input("x", {4, 8});
  const auto y = b.node("Softmax", "soft", {x});
  const workloads::Graph graph = b.finish({b.node("Identity", "copy", {y})});
  workloads::Recipe recipe = uniform_recipe(precision::bf16());
  const auto verdict = [&](std::size_t i) {
    return judge(npu, graph, graph.nodes[i], workloads::storage_formats(graph, recipe), recipe);
  };
  EXPECT_EQ(verdict(0).gap, Gap::internal);
  EXPECT_EQ(verdict(0).support, Support::unsupported);
  EXPECT_EQ(verdict(1).support, Support::native);
  recipe.internal = precision::fp16();
  EXPECT_EQ(verdict(0).support, Support::native);
}

TEST(InputUnits, EachInputHasItsOwnArithmeticAndAccumulators) {
  const NpuSpec npu = load_shipped("nvidia_a100");
  EXPECT_EQ(unit_of(npu, precision::fp16(), precision::fp32()).name, "nvidia_a100_fp16_fp32");
  EXPECT_EQ(unit_of(npu, precision::fp16(), precision::fp16()).name, "nvidia_a100_fp16_fp16");
  EXPECT_EQ(unit_of(npu, precision::bf16(), precision::fp32()).name, "nvidia_a100_bf16_fp32");
  EXPECT_THROW(unit_of(npu, precision::bf16(), precision::fp16()), std::invalid_argument);
  EXPECT_EQ(accumulators_of(npu.mac_array, *find_input(npu.mac_array, precision::fp16())).size(),
            2U);
  EXPECT_EQ(default_accumulator(npu.mac_array, precision::bf16()).name, "fp32");
  // 312 / 16 TFLOPS: a sixteenth of the products a cycle.
  EXPECT_EQ(npu.peak_macs_per_cycle(precision::fp16()),
            16 * npu.peak_macs_per_cycle(precision::fp32()));
}

TEST(InputUnits, ARecipesAccumulatorIsHeldAgainstTheInputs) {
  const NpuSpec npu = load_shipped("nvidia_a100");
  GraphBuilder b;
  const workloads::Graph graph = b.finish({b.gemm("fc", b.input("x", {4, 8}), 16)});
  const auto verdict = [&](const precision::Format& format) {
    workloads::Recipe recipe = uniform_recipe(format);
    recipe.accumulator = precision::fp16();
    return judge(npu, graph, graph.nodes.front(), workloads::storage_formats(graph, recipe),
                 recipe);
  };
  EXPECT_EQ(verdict(precision::fp16()).support, Support::native);
  EXPECT_EQ(verdict(precision::bf16()).support, Support::unsupported);
  EXPECT_EQ(verdict(precision::bf16()).gap, Gap::accumulator);
  EXPECT_THAT(verdict(precision::bf16()).reason, HasSubstr("offers fp32 for bf16"));
}

// Gemmini's mesh of four rows sums in BF16, its memory in FP32: the unit cuts K, not the plan.
TEST(InputUnits, AColumnsUnitReplacesTheArraysCuts) {
  GraphBuilder b;
  const auto graph = [&](GraphBuilder& builder) {
    return builder.finish({builder.gemm("fc", builder.input("x", {4, 40}), 16)});
  };
  const workloads::Graph product = graph(b);
  const auto gemm = [&](const char* npu) {
    return *map_graph(load_shipped(npu), product, uniform_recipe(precision::bf16()))
                .ops.front()
                .gemm;
  };
  EXPECT_EQ(gemm("gemmini_bf16").unit.block_terms(), 4);
  EXPECT_TRUE(gemm("gemmini_bf16").plan.chunks.empty());
  EXPECT_EQ(gemm("systolic_8x8_fp32").plan.chunks.front().terms, 8);
}

// Six passes of BF16 slices, or sixteen cycles a step, and no other change.
TEST(InputUnits, SlowFormatsTakeTheirPublishedFactorOfArrayCycles) {
  GraphBuilder b;
  const workloads::Graph graph = b.finish({b.gemm("fc", b.input("x", {512, 512}), 512)});
  const auto k_steps = [&](const char* npu, const precision::Format& format) {
    const GemmMapping gemm =
        *map_graph(load_shipped(npu), graph, uniform_recipe(format)).ops.front().gemm;
    return gemm.on_array({1, 1, 100}).k;
  };
  EXPECT_EQ(k_steps("google_tpu_v3", precision::bf16()), 100);
  EXPECT_EQ(k_steps("google_tpu_v3", precision::fp32()), 600);
  EXPECT_EQ(k_steps("nvidia_a100", precision::fp32()), 1600);
  EXPECT_EQ(k_steps("aws_trainium1", precision::fp32()), 400);
}

TEST(InputUnits, MistakesOfUnitsAreReported) {
  const std::string folder = test::source_dir() + "/configs/mac_units/";
  const auto code = [&](const std::string& unit) {
    const std::string path = testing::edited_copy(
        testing::shipped_npu("google_tpu_v4"),
        {{"\"../mac_units/google_tpu_v4_bf16_fp32.json\"", "\"" + unit + "\""},
         {"\"../mac_units/fp32_bf16x6.json\"", "\"" + folder + "fp32_bf16x6.json\""}});
    for (const auto& mistake : testing::mistakes_of_npu(path))
      if (mistake.pointer.rfind("/mac_array/inputs/0/units", 0) == 0) return mistake.code;
    return std::string();
  };
  EXPECT_EQ(code(folder + "google_tpu_v4_bf16_fp32.json"), "");
  EXPECT_EQ(code("no_such.json"), "bad-unit");
  EXPECT_EQ(code(folder + "fp16_chain.json"), "illegal-unit");
  EXPECT_EQ(code(folder + "nvidia_a100_bf16_fp32.json"), "illegal-combination");
}

}  // namespace
}  // namespace npusim::npu
