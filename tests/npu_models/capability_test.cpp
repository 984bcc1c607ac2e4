// SPDX-License-Identifier: Apache-2.0
#include "npu_models/capability.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graphs.h"
#include "npu_models/mapping.h"
#include "npu_models/npu_spec.h"
#include "support.h"

namespace npusim::npu {
namespace {

using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::load_shipped;
using testing::uniform_recipe;

workloads::Graph conv_relu() {
  GraphBuilder b;
  const auto x = b.input("x", {1, 8, 6, 6});
  return b.finish({b.node("Relu", "relu", {b.conv("conv", x, 16, 3)})});
}

Verdict verdict_of(const NpuSpec& npu, const workloads::Graph& graph,
                   const workloads::Recipe& recipe, const std::string& node) {
  for (const CoverageRow& row : coverage_of(npu, graph, recipe))
    if (row.node == node) return row.verdict;
  ADD_FAILURE() << "no node " << node;
  return {};
}

TEST(Capability, NativeHasNoReason) {
  const NpuSpec npu = load_shipped("systolic128_bf16");
  for (const CoverageRow& row : coverage_of(npu, conv_relu(), uniform_recipe(precision::bf16()))) {
    EXPECT_EQ(row.verdict.support, Support::native) << row.node << ": " << row.verdict.reason;
    EXPECT_EQ(row.verdict.reason, "");
  }
}

TEST(Capability, OperandFormatTheArrayLacksIsNamed) {
  const NpuSpec npu = load_shipped("systolic128_bf16");
  const Verdict verdict = verdict_of(npu, conv_relu(), uniform_recipe(precision::fp16()), "conv");
  EXPECT_EQ(verdict.support, Support::unsupported);
  EXPECT_THAT(verdict.reason, HasSubstr("fp16"));
}

TEST(Capability, OperandsOfTwoFormatsAreRefused) {
  workloads::Recipe recipe = uniform_recipe(precision::bf16());
  recipe.weights = precision::fp32();
  const Verdict verdict = verdict_of(load_shipped("systolic128_bf16"), conv_relu(), recipe, "conv");
  EXPECT_EQ(verdict.support, Support::unsupported);
  EXPECT_THAT(verdict.reason, HasSubstr("bf16 and fp32"));
}

TEST(Capability, AccumulatorOutsideTheChoicesIsNeverSubstituted) {
  workloads::Recipe recipe = uniform_recipe(precision::fp16());
  recipe.accumulator = precision::fp16();
  EXPECT_EQ(verdict_of(load_shipped("cube16_fp16"), conv_relu(), recipe, "conv").support,
            Support::native);
  const Verdict verdict = verdict_of(load_shipped("nvdla_fp16"), conv_relu(), recipe, "conv");
  EXPECT_EQ(verdict.support, Support::unsupported);
  EXPECT_THAT(verdict.reason, HasSubstr("accumulates in fp16"));
  EXPECT_THAT(verdict.reason, HasSubstr("fp32"));
}

TEST(Capability, OptionsOfTheRecipesAccumulatorMustBeTheArrays) {
  workloads::Recipe recipe = uniform_recipe(precision::fp16());
  recipe.accumulator = precision::fp16();
  recipe.accumulator->subnormals = precision::Subnormals::flush;
  const NpuSpec npu = load_shipped("cube16_fp16");
  EXPECT_EQ(verdict_of(npu, conv_relu(), recipe, "conv").support, Support::unsupported);
}

TEST(Capability, StorageFormatsAreJudgedForVectorOps) {
  workloads::Recipe recipe = uniform_recipe(precision::fp16());
  recipe.activations = precision::fp32();
  const Verdict on_nvdla = verdict_of(load_shipped("nvdla_fp16"), conv_relu(), recipe, "relu");
  EXPECT_EQ(on_nvdla.support, Support::host);
  EXPECT_THAT(on_nvdla.reason, HasSubstr("fp32"));
}

TEST(Capability, TableComesBeforeFormats) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  npu.operators.entries["Relu"] = {Support::unknown, {}, Support::unsupported, "no source says"};
  const Verdict verdict = verdict_of(npu, conv_relu(), uniform_recipe(precision::fp16()), "relu");
  EXPECT_EQ(verdict.support, Support::unknown);
  EXPECT_EQ(verdict.reason, "no source says");
}

TEST(Capability, OpsOutsideTheTableTakeItsDefault) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  npu.operators.entries.erase("Relu");
  const auto verdict = [&] {
    return verdict_of(npu, conv_relu(), uniform_recipe(precision::bf16()), "relu");
  };
  EXPECT_EQ(verdict().support, Support::unsupported);
  npu.operators.fallback = Support::host;
  EXPECT_EQ(verdict().support, Support::host);
  npu.host.reset();
  EXPECT_EQ(verdict().support, Support::unsupported);
  EXPECT_THAT(verdict().reason, HasSubstr("no host"));
}

TEST(Capability, VectorFunctionsWithoutThroughputAreMissing) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  npu.vector_unit.cycles_per_element.erase("max");
  const Verdict verdict = verdict_of(npu, conv_relu(), uniform_recipe(precision::bf16()), "relu");
  EXPECT_EQ(verdict.support, Support::unsupported);
  EXPECT_THAT(verdict.reason, HasSubstr("no max"));
}

workloads::Graph loss_graph() {
  GraphBuilder b;
  const auto x = b.input("x", {4, 10});
  const auto labels = b.input("labels", {4}, workloads::TensorRole::label);
  return b.finish(
      {b.node("SoftmaxCrossEntropyLoss", "loss", {x, labels}, {}, workloads::TensorRole::loss)});
}

TEST(Capability, DecompositionNeedsAllItsParts) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  const workloads::Recipe recipe = uniform_recipe(precision::bf16());
  const Verdict whole = verdict_of(npu, loss_graph(), recipe, "loss");
  EXPECT_EQ(whole.support, Support::decomposed) << whole.reason;
  EXPECT_NE(whole.reason, "");
  npu.operators.entries["LogSoftmax"].support = Support::host;
  npu.operators.entries["SoftmaxCrossEntropyLoss"].otherwise = Support::host;
  const Verdict broken = verdict_of(npu, loss_graph(), recipe, "loss");
  EXPECT_EQ(broken.support, Support::host);
  EXPECT_THAT(broken.reason, HasSubstr("LogSoftmax"));
}

/// x[4,8] times w[8,3], scaled.
workloads::Graph scaled_gemm(double alpha) {
  GraphBuilder b;
  const auto x = b.input("x", {4, 8});
  const auto w = b.input("w", {8, 3});
  return b.finish({b.node("Gemm", "fc", {x, w}, {{"alpha", alpha}})});
}

// A scaled product needs a Scale beside its MatMul, a plain one does not; neither needs the
// Transpose that other Gemms need. Coverage and mapping say the same.
TEST(Capability, DecompositionIsJudgedByThePartsOfTheNode) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  npu.operators.fallback = Support::unsupported;
  npu.operators.entries["Gemm"].support = Support::decomposed;
  npu.operators.entries["MatMul"].support = Support::native;
  npu.operators.entries.erase("Transpose");
  npu.operators.entries.erase("Scale");
  const workloads::Recipe recipe = uniform_recipe(precision::bf16());
  EXPECT_EQ(verdict_of(npu, scaled_gemm(1.0), recipe, "fc").support, Support::decomposed);
  EXPECT_NO_THROW(map_graph(npu, scaled_gemm(1.0), recipe));
  const Verdict scaled = verdict_of(npu, scaled_gemm(0.5), recipe, "fc");
  EXPECT_EQ(scaled.support, Support::unsupported);
  EXPECT_EQ(scaled.reason, "it needs Scale, which is not native: not in the operator table");
  EXPECT_THROW(map_graph(npu, scaled_gemm(0.5), recipe), UnsupportedError);
  npu.operators.entries["Scale"].support = Support::native;
  EXPECT_EQ(verdict_of(npu, scaled_gemm(0.5), recipe, "fc").support, Support::decomposed);
  EXPECT_NO_THROW(map_graph(npu, scaled_gemm(0.5), recipe));
}

// What the table says of formats does not explain a vector unit without the function.
TEST(Capability, TheTablesReasonStandsOnlyWhereTheTableDecides) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  OperatorEntry& relu = npu.operators.entries["Relu"];
  relu.formats = {"bf16"};
  relu.reason = "the activation unit is 16 bits wide";
  const workloads::Graph graph = conv_relu();
  EXPECT_THAT(verdict_of(npu, graph, uniform_recipe(precision::fp32()), "relu").reason,
              HasSubstr("the activation unit is 16 bits wide ("));
  npu.vector_unit.cycles_per_element.erase("max");
  EXPECT_EQ(verdict_of(npu, graph, uniform_recipe(precision::bf16()), "relu").reason,
            "the vector unit has no max");
}

TEST(Capability, AnOverrideOfTheLevelDropsTheReasonOfAnother) {
  const auto reason = [](const std::vector<std::string>& settings) {
    const NpuSpec npu = load_shipped("systolic128_bf16", settings);
    return npu.operators.entries.at("SoftmaxCrossEntropyLoss").reason;
  };
  const std::string entry = "operators.ops.SoftmaxCrossEntropyLoss.";
  EXPECT_THAT(reason({}), HasSubstr("no fused loss"));
  EXPECT_EQ(reason({entry + "support=unsupported"}), "");
  EXPECT_EQ(reason({entry + "support=unsupported", entry + "reason=cut out"}), "cut out");
}

TEST(Capability, NamesOfTheLevels) {
  EXPECT_STREQ(name_of(Support::native), "native");
  EXPECT_STREQ(name_of(Support::unsupported), "unsupported");
  EXPECT_EQ(support_names().size(), 5U);
}

}  // namespace
}  // namespace npusim::npu
