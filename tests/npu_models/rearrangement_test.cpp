// SPDX-License-Identifier: Apache-2.0
// What is made in DRAM for which product: counts by hand on one layer each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graphs.h"
#include "npu_models/gemm_traffic.h"
#include "npu_models/mapping.h"
#include "npu_models/rearrangement.h"
#include "support.h"

namespace npusim::npu {
namespace {

using testing::GraphBuilder;
using testing::load_shipped;
using testing::uniform_recipe;
using Integers = std::vector<std::int64_t>;

MappedOp mapped_on(const std::string& layout, const workloads::Graph& graph,
                   MappedGraph* all = nullptr) {
  const NpuSpec npu =
      load_shipped("systolic128_bf16", {"data_layout=" + layout, "dma={\"width_bytes\": 64}"});
  MappedGraph mapped = map_graph(npu, graph, uniform_recipe(precision::bf16()));
  if (all != nullptr) *all = mapped;
  return mapped.ops.front();
}

/// 3 filters of 3x3 over 2 channels of 5x5, stride 2, padded to 3x3 results.
workloads::Graph strided_convolution() {
  GraphBuilder b;
  const auto x = b.input("x", {1, 2, 5, 5});
  const auto w = b.input("w", {3, 2, 3, 3}, workloads::TensorRole::weight);
  return b.finish({b.node("Conv", "conv", {x, w},
                          {{"pads", Integers{1, 1, 1, 1}}, {"strides", Integers{2, 2}}})});
}

/// Of the same layer: dy (3 channels of 3x3) to dx, or with x to dw.
workloads::Graph strided_gradient(bool of_data) {
  GraphBuilder b;
  const auto dy = b.input("dy", {1, 3, 3, 3});
  workloads::Attributes window = {{"pads", Integers{1, 1, 1, 1}}, {"strides", Integers{2, 2}}};
  if (of_data) {
    const auto w = b.input("w", {3, 2, 3, 3}, workloads::TensorRole::weight);
    window["x_shape"] = Integers{1, 2, 5, 5};
    return b.finish({b.node("ConvDataGradient", "dx", {dy, w}, window)});
  }
  const auto x = b.input("x", {1, 2, 5, 5});
  window["w_shape"] = Integers{3, 2, 3, 3};
  return b.finish({b.node("ConvWeightGradient", "dw", {dy, x}, window)});
}

TEST(Rearrangement, NothingIsMadeByDefault) {
  EXPECT_FALSE(mapped_on("{}", strided_convolution()).rearrangement);
  EXPECT_FALSE(mapped_on("{\"im2col\": \"implicit\"}", strided_gradient(true)).rearrangement);
}

TEST(Rearrangement, Im2colWritesAnElementForEachTermOfEachPosition) {
  MappedGraph all;
  const MappedOp op = mapped_on("{\"im2col\": \"through_dram\"}", strided_convolution(), &all);
  ASSERT_TRUE(op.rearrangement);
  EXPECT_EQ(op.rearrangement->kind, Rearrangement::Kind::im2col);
  EXPECT_EQ(op.rearrangement->read_bytes, 2 * 5 * 5 * 2);
  EXPECT_EQ(op.rearrangement->elements, 9 * 18);  // 3x3 positions, 2 channels of 3x3 taps
  EXPECT_EQ(op.rearrangement->written_bytes, 9 * 18 * 2);
  // the product loads the matrix, not the pixels its windows touch
  EXPECT_EQ(gemm_traffic(*op.gemm, {2, 2, 2}).m_side_bytes, 9 * 18 * 2);
  EXPECT_EQ(all.memory.most[MemoryKind::workspace], 9 * 18 * 2);
  // the image of the implicit form: at most its 50 pixels
  EXPECT_LE(gemm_traffic(*mapped_on("{}", strided_convolution()).gemm, {2, 2, 2}).m_side_bytes,
            50 * 2);
}

TEST(Rearrangement, Im2colOfGradients) {
  const MappedOp data = mapped_on("{\"im2col\": \"through_dram\"}", strided_gradient(true));
  ASSERT_TRUE(data.rearrangement);
  EXPECT_EQ(data.rearrangement->read_bytes, 27 * 2);
  EXPECT_EQ(data.rearrangement->elements, 25 * 27);  // 5x5 pixels, 3 channels of 3x3 taps
  const MappedOp weight = mapped_on("{\"im2col\": \"through_dram\"}", strided_gradient(false));
  ASSERT_TRUE(weight.rearrangement);
  EXPECT_EQ(weight.rearrangement->read_bytes, 50 * 2);
  EXPECT_EQ(weight.rearrangement->elements, 18 * 9);
}

TEST(Rearrangement, ZerosAreInsertedBetweenThePixelsOfDy) {
  const MappedOp op = mapped_on("{\"zero_insertion\": \"through_dram\"}", strided_gradient(true));
  ASSERT_TRUE(op.rearrangement);
  EXPECT_EQ(op.rearrangement->kind, Rearrangement::Kind::zero_insertion);
  EXPECT_EQ(op.rearrangement->read_bytes, 27 * 2);
  EXPECT_EQ(op.rearrangement->elements, 3 * 5 * 5);  // (3 - 1) * 2 + 1 a side
  // the product reads them as an image
  EXPECT_EQ(gemm_traffic(*op.gemm, {2, 2, 2}).m_side_bytes, 3 * 5 * 5 * 2);
  EXPECT_EQ(gemm_traffic(*mapped_on("{}", strided_gradient(true)).gemm, {2, 2, 2}).m_side_bytes,
            27 * 2);
  EXPECT_FALSE(
      mapped_on("{\"zero_insertion\": \"through_dram\"}", strided_convolution()).rearrangement);
}

MappedGraph skipping(const workloads::Graph& graph, const std::string& layout) {
  return map_graph(load_shipped("systolic128_bf16", {"data_layout=" + layout}), graph,
                   uniform_recipe(precision::bf16()));
}

TEST(Rearrangement, SkippedZerosLeaveAProductForEachPhase) {
  const MappedGraph mapped = skipping(strided_gradient(true), "{\"zero_insertion\": \"skip\"}");
  ASSERT_EQ(mapped.ops.size(), 5U);
  struct Phase {
    std::int64_t m, k;
  };
  // rows (columns) 0, 2, 4 meet the middle tap, rows 1, 3 the outer two; 3 filters
  const std::vector<Phase> phases = {{9, 3 * 1}, {6, 3 * 2}, {6, 3 * 2}, {4, 3 * 4}};
  std::int64_t macs = 0, weights = 0;
  for (std::size_t i = 0; i < phases.size(); ++i) {
    const MappedOp& op = mapped.ops[i];
    ASSERT_TRUE(op.gemm);
    EXPECT_EQ(op.gemm->contraction.m, phases[i].m);
    EXPECT_EQ(op.gemm->contraction.n, 2);
    EXPECT_EQ(op.gemm->plan.terms(), phases[i].k);
    EXPECT_EQ(op.macs, phases[i].m * 2 * phases[i].k);
    EXPECT_FALSE(op.rearrangement);
    EXPECT_EQ(op.origin, "dx");
    macs += op.macs;
    weights += gemm_traffic(*op.gemm, {2, 2, 2}).n_side_bytes;
  }
  EXPECT_EQ(macs, 2 * (54 / 2 + 36 + 36 + 48));
  EXPECT_EQ(weights, 3 * 2 * 9 * 2);  // each tap once
  EXPECT_EQ(mapped.ops.back().engine, Engine::view);
  // the phases are written into dx: 27 of dy, 54 of w, 50 of dx, in buffers of 64 bytes
  EXPECT_EQ(mapped.memory.peak_bytes, 64 + 108 + 128);
  MappedGraph whole;
  EXPECT_EQ(mapped_on("{}", strided_gradient(true), &whole).macs, 25 * 2 * 27);
  EXPECT_EQ(whole.memory.peak_bytes, mapped.memory.peak_bytes);
}

TEST(Rearrangement, SkippedZerosWithIm2colMakeAMatrixForEachPhase) {
  const MappedGraph mapped = skipping(
      strided_gradient(true), "{\"zero_insertion\": \"skip\", \"im2col\": \"through_dram\"}");
  ASSERT_TRUE(mapped.ops[3].rearrangement);
  EXPECT_EQ(mapped.ops[3].rearrangement->kind, Rearrangement::Kind::im2col);
  EXPECT_EQ(mapped.ops[3].rearrangement->elements, 4 * 12);
  // one tap over rows and columns 0, 1, 2: dy itself
  EXPECT_FALSE(mapped.ops[0].rearrangement);
}

TEST(Rearrangement, MoreProductsThanAGraphMayHaveAreAMistakeOfTheFile) {
  GraphBuilder b;
  const auto x = b.input("x", {1, 1, 2, 2});
  const auto w = b.input("w", {1, 1, 1, 1}, workloads::TensorRole::weight);
  const auto graph =
      b.finish({b.node("ConvTranspose", "up", {x, w}, {{"strides", Integers{1100, 1100}}})});
  try {
    skipping(graph, "{\"zero_insertion\": \"skip\"}");
    FAIL() << "1100 * 1100 phases";
  } catch (const base::InputError& error) {
    ASSERT_EQ(error.diagnostics().size(), 1U);
    const base::Diagnostic& at = error.diagnostics().front();
    EXPECT_EQ(at.pointer, "/data_layout/zero_insertion");
    EXPECT_FALSE(at.file.empty());
    EXPECT_THAT(at.message, ::testing::HasSubstr("up inserts takes 1210000 products"));
    EXPECT_THAT(at.allowed, ::testing::HasSubstr("implicit"));
  }
}

TEST(Rearrangement, AProductWithoutInsertedZerosIsLeftWhole) {
  const std::string skip = "{\"zero_insertion\": \"skip\"}";
  EXPECT_EQ(skipping(strided_convolution(), skip).ops.size(), 1U);
  EXPECT_EQ(skipping(strided_gradient(false), skip).ops.size(), 1U);
  GraphBuilder b;
  const auto dy = b.input("dy", {1, 3, 5, 5});
  const auto w = b.input("w", {3, 2, 1, 1}, workloads::TensorRole::weight);
  const auto dense =
      b.finish({b.node("ConvDataGradient", "dx", {dy, w}, {{"x_shape", Integers{1, 2, 5, 5}}})});
  EXPECT_EQ(skipping(dense, skip).ops.size(), 1U);
}

TEST(Rearrangement, AMatrixThatIsTheImageIsNotMadeAgain) {
  GraphBuilder b;
  const workloads::Graph pointwise = b.finish({b.conv("conv", b.input("x", {1, 8, 6, 6}), 4, 1)});
  EXPECT_FALSE(mapped_on("{\"im2col\": \"through_dram\"}", pointwise).rearrangement);
  GraphBuilder c;
  const workloads::Graph dense = c.finish({c.gemm("fc", c.input("x", {8, 16}), 4)});
  EXPECT_FALSE(mapped_on("{\"im2col\": \"through_dram\"}", dense).rearrangement);
}

TEST(Rearrangement, ATransposeByDmaGathersWhatLiesTogether) {
  const auto run_of = [](const Integers& perm) {
    GraphBuilder b;
    const auto x = b.input("x", {4, 6, 10});
    const MappedOp op = mapped_on("{\"transpose\": \"dma\"}",
                                  b.finish({b.node("Transpose", "t", {x}, {{"perm", perm}})}));
    EXPECT_TRUE(op.vector_work.empty());
    return op.gathered_run;
  };
  EXPECT_EQ(run_of({2, 1, 0}), 1);
  EXPECT_EQ(run_of({1, 0, 2}), 10);
  EXPECT_EQ(run_of({0, 2, 1}), 1);
  EXPECT_EQ(run_of({0, 1, 2}), 240);
  GraphBuilder b;
  const auto graph = b.finish({b.node("Transpose", "t", {b.input("x", {4, 6})})});
  EXPECT_EQ(mapped_on("{\"transpose\": \"dma\"}", graph).gathered_run, 1);
  EXPECT_EQ(mapped_on("{}", graph).gathered_run, 0);
  EXPECT_FALSE(mapped_on("{}", graph).vector_work.empty());
}

TEST(Rearrangement, MistakesSayWhereAndWhatWouldFit) {
  using ::testing::HasSubstr;
  const auto mistakes = [](const std::vector<std::string>& settings) {
    std::string text;
    try {
      load_shipped("systolic128_bf16", settings);
    } catch (const base::InputError& error) {
      for (const base::Diagnostic& at : error.diagnostics()) text += base::to_string(at) + "\n";
    }
    return text;
  };
  EXPECT_THAT(mistakes({"data_layout={\"im2col\": \"explicit\"}"}),
              HasSubstr("implicit, through_dram"));
  EXPECT_THAT(mistakes({"data_layout={\"transpose\": \"dma\"}"}),
              HasSubstr("needs the bursts of a dma section"));
  EXPECT_EQ(mistakes({"data_layout={\"zero_insertion\": \"through_dram\"}"}), "");
  EXPECT_EQ(mistakes({"data_layout={\"zero_insertion\": \"skip\"}"}), "");
  EXPECT_THAT(mistakes({"data_layout={\"zero_insertion\": \"none\"}"}),
              HasSubstr("implicit, through_dram, skip"));
}

}  // namespace
}  // namespace npusim::npu
