// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "npu_models/gemm_traffic.h"
#include "npu_models/mapping.h"
#include "npu_models/npu_file.h"
#include "npu_models/tile_bytes.h"
#include "npu_models/tiling.h"
#include "support.h"

namespace npusim::npu {
namespace {

using testing::load_shipped;
using workloads::Contraction;
using workloads::GemmRole;

Contraction matmul(std::int64_t m, std::int64_t n, std::int64_t k) {
  Contraction c;
  c.m = m;
  c.n = n;
  c.dims = {{"K", k}};
  return c;
}

Contraction convolution(std::int64_t channels, std::int64_t size, std::int64_t outputs,
                        std::int64_t kernel) {
  Contraction c;
  c.role = GemmRole::fprop;
  c.m = size * size;
  c.n = outputs;
  c.dims = {{"C", channels}, {"R", kernel}, {"S", kernel}};
  workloads::Window w;
  w.channels = channels;
  w.in_height = w.in_width = w.out_height = w.out_width = size;
  w.kernel_height = w.kernel_width = kernel;
  c.window = w;
  return c;
}

GemmMapping map(const NpuSpec& npu, const Contraction& contraction,
                const char* accumulator = nullptr) {
  const precision::Format sums = accumulator != nullptr
                                     ? precision::format_from_name(accumulator)
                                     : npu.mac_array.accumulator.arithmetic.format;
  return map_gemm(npu, contraction, npu.mac_array.inputs[0].format, sums, 2);
}

TEST(ReductionPlan, SystolicRowsCutKAndRowsAreInThePlan) {
  const GemmMapping wide = map(load_shipped("systolic128_bf16"), matmul(64, 64, 512));
  ASSERT_EQ(wide.plan.chunks.size(), 1U);
  EXPECT_EQ(wide.plan.chunks[0].terms, 128);
  EXPECT_TRUE(wide.plan.order.empty());
  const GemmMapping narrow =
      map(load_shipped("systolic128_bf16", {"mac_array.rows=32"}), matmul(64, 64, 512));
  ASSERT_EQ(narrow.plan.chunks.size(), 1U);
  EXPECT_EQ(narrow.plan.chunks[0].terms, 32);
  EXPECT_NE(precision::describe(wide.plan), precision::describe(narrow.plan));
}

TEST(ReductionPlan, ReinjectedSumsForgetTheRows) {
  const auto plan = [](const char* rows) {
    return map(load_shipped("systolic128_bf16", {rows, "mac_array.partial_sums=reinject_above"}),
               matmul(64, 64, 512))
        .plan;
  };
  EXPECT_EQ(precision::describe(plan("mac_array.rows=32")),
            precision::describe(plan("mac_array.rows=128")));
}

TEST(ReductionPlan, RowsChangeCyclesAndBitsTogether) {
  const NpuSpec wide = load_shipped("systolic128_bf16");
  const NpuSpec narrow = load_shipped("systolic128_bf16", {"mac_array.rows=32"});
  const GemmMapping a = map(wide, matmul(64, 64, 512));
  const GemmMapping b = map(narrow, matmul(64, 64, 512));
  EXPECT_NE(array_cycles(wide, a), array_cycles(narrow, b));
  // 1 and then 511 halves of the spacing at 1: chunks of 32 keep what chunks of 128 keep
  // differently.
  const precision::MacUnit fp16 =
      unit_of(load_shipped("systolic128_bf16", {"mac_array.accumulator.format=fp16"}),
              precision::bf16(), precision::fp16());
  std::vector<double> ones(512, 1.0), terms(512, 0x1p-11);
  terms[0] = 1.0;
  const auto with_fp16_cuts = [](precision::ReductionPlan plan) {
    for (precision::Chunk& chunk : plan.chunks)
      chunk.arithmetic = {precision::fp16(), precision::Rounding::rne};
    return plan;
  };
  EXPECT_NE(
      precision::planned_dot(fp16, with_fp16_cuts(a.plan), ones.data(), terms.data(), nullptr),
      precision::planned_dot(fp16, with_fp16_cuts(b.plan), ones.data(), terms.data(), nullptr));
}

TEST(ReductionPlan, OutputStationaryCutsKWhereTilesEnd) {
  const NpuSpec npu = load_shipped(
      "systolic128_bf16", {"mac_array.dataflow=output_stationary", "mac_array.partial_sums=null",
                           "mac_array.preload_hiding=null", "scratchpad.kib=256"});
  const GemmMapping gemm = map(npu, matmul(128, 128, 2048));
  EXPECT_LT(gemm.tile_k, 2048);
  ASSERT_EQ(gemm.plan.chunks.size(), 1U);
  EXPECT_EQ(gemm.plan.chunks[0].terms, gemm.tile_k);
  EXPECT_EQ(gemm.plan.chunks[0].join, precision::Chunk::Join::add);
  EXPECT_FALSE(gemm.plan.deal);
}

TEST(ReductionPlan, PartialSumsOfAnOutputAreDealtWholeSteps) {
  const NpuSpec npu = load_shipped("cube16_fp16", {"mac_array.partial_sums_per_output=4"});
  const GemmMapping gemm = map(npu, matmul(16, 16, 200));
  ASSERT_TRUE(gemm.plan.deal);
  EXPECT_EQ(gemm.plan.deal->sums, 4);
  EXPECT_EQ(gemm.plan.deal->group, 16);
  EXPECT_EQ(gemm.plan.deal->block, 256);
  ASSERT_EQ(gemm.plan.chunks.size(), 2U);
  EXPECT_EQ(gemm.plan.chunks[0].terms, 64);
  EXPECT_EQ(gemm.plan.chunks[1].terms, 256);
  precision::validate(gemm.plan, gemm.unit);
}

TEST(ReductionPlan, AChunkOfAllOfKIsACutOnlyForABias) {
  const NpuSpec npu = load_shipped("systolic128_bf16");
  Contraction c = matmul(16, 16, 100);
  EXPECT_TRUE(map(npu, c).plan.chunks.empty());
  c.bias_input = 2;  // it stands below the array: the column's sum is added to it
  ASSERT_EQ(map(npu, c).plan.chunks.size(), 1U);
}

TEST(ReductionPlan, NvdlaWalksChannelBlocksThenTaps) {
  const GemmMapping gemm = map(load_shipped("nvdla_fp16"), convolution(100, 14, 32, 3));
  EXPECT_THAT(precision::describe(gemm.plan), ::testing::HasSubstr("C/64 R S C pad"));
  EXPECT_EQ(gemm.ordered_k, 128 * 9);
  EXPECT_EQ(gemm.plan.bias, precision::BiasEntry::after);
  EXPECT_TRUE(gemm.plan.chunks.empty());
}

TEST(ReductionPlan, EachRoleHasItsOrder) {
  const NpuSpec nvdla = load_shipped("nvdla_fp16");
  Contraction dgrad = convolution(64, 7, 16, 3);
  dgrad.role = GemmRole::dgrad;
  dgrad.dims[0].name = "K";
  EXPECT_THAT(precision::describe(map(nvdla, dgrad).plan), ::testing::HasSubstr("K/64 R S K pad"));
  Contraction wgrad;
  wgrad.role = GemmRole::wgrad;
  wgrad.m = 27;
  wgrad.n = 16;
  wgrad.dims = {{"N", 2}, {"OH", 7}, {"OW", 7}};
  EXPECT_TRUE(map(nvdla, wgrad).plan.order.empty());
  EXPECT_EQ(map(nvdla, wgrad).ordered_k, 98);
  EXPECT_TRUE(map(nvdla, matmul(8, 8, 100)).plan.order.empty());
  EXPECT_THAT(precision::describe(map(load_shipped("cube16_fp16"), convolution(20, 7, 16, 3)).plan),
              ::testing::HasSubstr("C/16 R S C pad"));
  const NpuSpec reversed =
      load_shipped("nvdla_fp16", {"mac_array.reduction_order.wgrad=[\"OW\",\"OH\",\"N\"]"});
  EXPECT_THAT(precision::describe(map(reversed, wgrad).plan), ::testing::HasSubstr("OW OH N"));
}

TEST(Accumulator, OnlyWidthAndLatencyReachTheCycles) {
  // bf16 and fp16 are equally wide; with the same latency nothing in time may differ.
  for (const char* name : {"systolic128_bf16", "cube16_fp16", "nvdla_fp16"}) {
    const std::string choices = "mac_array.accumulator.choices=[\"fp16\",\"bf16\"]";
    const NpuSpec npu = load_shipped(name, {"mac_array.accumulator.format=fp16", choices,
                                            "mac_array.accumulator.latency_cycles=3"});
    for (const Contraction& contraction : {matmul(1000, 500, 3000), convolution(96, 28, 64, 3)}) {
      const GemmMapping a = map(npu, contraction, "fp16");
      const GemmMapping b = map(npu, contraction, "bf16");
      EXPECT_EQ(array_cycles(npu, a), array_cycles(npu, b)) << name;
      EXPECT_EQ(a.tile_m, b.tile_m);
      EXPECT_EQ(a.tile_n, b.tile_n);
      EXPECT_EQ(a.tile_k, b.tile_k);
      EXPECT_EQ(a.loop_order, b.loop_order);
      EXPECT_NE(a.unit.accumulator().format.name, b.unit.accumulator().format.name);
    }
  }
}

TEST(Accumulator, WidthShowsInTilesAndTraffic) {
  const auto traffic = [](const char* format) {
    const NpuSpec npu =
        load_shipped("cube16_fp16", {std::string("mac_array.accumulator.format=") + format,
                                     "mac_array.accumulator.memory_kib=16"});
    const GemmMapping gemm = map(npu, matmul(2048, 2048, 1024));
    return gemm_traffic(gemm, {2, 2, 2}).total_bytes();
  };
  EXPECT_LT(traffic("fp16"), traffic("fp32"));
}

RC_GTEST_PROP(Tiles, FitTheirBuffersAndCoverTheGemm, ()) {
  const auto name = *rc::gen::element<std::string>("systolic128_bf16", "cube16_fp16", "nvdla_fp16");
  NpuSpec npu = load_shipped(name);
  npu.scratchpad.bytes = *rc::gen::inRange<std::int64_t>(128, 4096) * 1024;
  npu.scratchpad.buffers = *rc::gen::inRange<std::int64_t>(1, 3);
  npu.mac_array.accumulator.memory_bytes = *rc::gen::inRange<std::int64_t>(2, 512) * 1024;
  npu.mac_array.arrays = *rc::gen::element<std::int64_t>(1, 1, 4);
  const bool image = *rc::gen::arbitrary<bool>();
  const Contraction contraction = image ? convolution(*rc::gen::inRange<std::int64_t>(1, 300),
                                                      *rc::gen::inRange<std::int64_t>(3, 40),
                                                      *rc::gen::inRange<std::int64_t>(1, 600),
                                                      *rc::gen::element<std::int64_t>(1, 3, 5))
                                        : matmul(*rc::gen::inRange<std::int64_t>(1, 5000),
                                                 *rc::gen::inRange<std::int64_t>(1, 3000),
                                                 *rc::gen::inRange<std::int64_t>(1, 5000));
  const GemmMapping gemm = map(npu, contraction);
  RC_ASSERT(gemm.tile_m >= 1 && gemm.tile_m <= contraction.m);
  RC_ASSERT(gemm.tile_n >= 1 && gemm.tile_n <= contraction.n);
  RC_ASSERT(gemm.tile_k >= 1 && gemm.tile_k <= gemm.ordered_k);
  RC_ASSERT(gemm.split.parts() <= npu.mac_array.arrays);
  const std::int64_t share_m = (gemm.tile_m + gemm.split.m - 1) / gemm.split.m;
  const std::int64_t share_n = (gemm.tile_n + gemm.split.n - 1) / gemm.split.n;
  RC_ASSERT(2 * share_m * share_n * gemm.accumulator_bytes <=
            npu.mac_array.accumulator.memory_bytes);
  for (std::int64_t m0 = 0; m0 < contraction.m; m0 += gemm.tile_m) {
    const std::int64_t m = std::min(gemm.tile_m, contraction.m - m0);
    std::int64_t bytes = 0;
    for (std::int64_t part = 0; part < gemm.split.k; ++part) {
      const std::int64_t k0 = part * gemm.k_part();
      const std::int64_t k = std::min(gemm.tile_k, gemm.ordered_k - k0);
      RC_ASSERT(k > 0);
      bytes += m_side_bytes(gemm, m0, m, k0, k, 2) + n_side_bytes(gemm, gemm.tile_n, k0, k, 2);
    }
    RC_ASSERT(bytes <= npu.scratchpad.bytes / npu.scratchpad.buffers);
  }
  if (gemm.tile_k < gemm.ordered_k && name == "systolic128_bf16") RC_ASSERT(gemm.tile_k % 128 == 0);
  RC_ASSERT(gemm.spills == (gemm.loop_order == LoopOrder::weight_resident));
  precision::validate(gemm.plan, gemm.unit);
}

/// Few partial sums, slow weights: it pays to load each weight once and to spill.
NpuSpec spilling_npu(const std::vector<std::string>& more = {}) {
  std::vector<std::string> settings = {"scratchpad.kib=256", "mac_array.accumulator.memory_kib=16",
                                       "dram.bandwidth_gb_per_s=1"};
  settings.insert(settings.end(), more.begin(), more.end());
  return load_shipped("systolic128_bf16", settings);
}

GemmMapping spilling_gemm(const NpuSpec& npu) {
  // Long K, one column of tiles in n, few positions a tile.
  return map(npu, matmul(64, 128, 65536));
}

TEST(Spills, PlanCarriesTheSumsInTheAccumulatorsFormat) {
  const GemmMapping gemm = spilling_gemm(spilling_npu());
  ASSERT_TRUE(gemm.spills);
  ASSERT_LT(gemm.tile_m, 64);
  ASSERT_EQ(gemm.plan.chunks.size(), 2U);
  EXPECT_EQ(gemm.plan.chunks[1].join, precision::Chunk::Join::carry);
  EXPECT_EQ(gemm.plan.chunks[1].terms, gemm.tile_k);
  EXPECT_EQ(gemm.plan.chunks[1].arithmetic, gemm.unit.accumulator());
  const std::int64_t tiles = (gemm.ordered_k + gemm.tile_k - 1) / gemm.tile_k;
  EXPECT_EQ(gemm_traffic(gemm, {2, 2, 2}).spill_write_bytes, (tiles - 1) * 64 * 128 * 4);
}

TEST(Spills, NarrowSpillFormatIsInThePlanAndInTheTraffic) {
  const GemmMapping gemm =
      spilling_gemm(spilling_npu({"mac_array.accumulator.spill={\"format\":\"bf16\"}"}));
  ASSERT_TRUE(gemm.spills);
  EXPECT_EQ(gemm.plan.chunks.back().arithmetic.format.name, "bf16");
  EXPECT_EQ(spill_element_bytes(gemm), 2);
}

TEST(Tiles, LargeProductsKeepTheArrayBusy) {
  const NpuSpec npu = load_shipped("systolic128_bf16");
  const Contraction contraction = matmul(4096, 4096, 4096);
  const GemmMapping gemm = map(npu, contraction);
  const double ideal = static_cast<double>(contraction.macs()) / 16384.0;
  EXPECT_LT(static_cast<double>(array_cycles(npu, gemm)), 1.3 * ideal);
}

}  // namespace
}  // namespace npusim::npu
