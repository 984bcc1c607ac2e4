// SPDX-License-Identifier: Apache-2.0
// Which arrays the mapping gives a product, and what a split of K does to its plan.
#include "npu_models/gemm_split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "npu_models/organisation.h"
#include "npu_models/tiling.h"
#include "support.h"

namespace npusim::npu {
namespace {

using testing::load_shipped;

workloads::Contraction product(std::int64_t m, std::int64_t n, std::int64_t k,
                               std::int64_t groups = 1) {
  workloads::Contraction c;
  c.groups = groups;
  c.m = m;
  c.n = n;
  c.dims = {{"K", k}};
  return c;
}

GemmMapping map(const NpuSpec& npu, const workloads::Contraction& contraction) {
  const precision::Format& input = npu.mac_array.inputs[0].format;
  return map_gemm(npu, contraction, input, npu.mac_array.accumulator.arithmetic.format, 2);
}

TEST(GemmSplit, OneRowTimesAMatrixUsesChannelsOfAllArrays) {
  const NpuSpec npu = load_shipped("google_tpu_v4");
  const GemmMapping gemm = map(npu, product(1, 4096, 4096));
  EXPECT_EQ(gemm.split, (ArraySplit{1, 1, 8, 1}));
  // 128 x 128 weights enter an array in 128 cycles, eight arrays in parallel: faster than DRAM
  EXPECT_GE(array_cycles(npu, gemm), 4096 * 4096 / 128 / 8);
  EXPECT_LT(static_cast<double>(array_cycles(npu, gemm)) * npu.dram.bandwidth_bytes_per_cycle,
            4096.0 * 4096.0 * 2.0);
}

TEST(GemmSplit, SmallMatricesOfABatchGoToDifferentArrays) {
  const NpuSpec npu = load_shipped("nvidia_a100");
  const GemmMapping gemm = map(npu, product(128, 128, 64, 192));
  EXPECT_GE(gemm.split.groups, 16);
  EXPECT_GE(gemm.split.parts(), 64);
}

TEST(GemmSplit, LongSumsOfFewOutputsAreSharedInK) {
  const NpuSpec npu = load_shipped("nvidia_a100");
  const GemmMapping gemm = map(npu, product(64, 64, 100'000));
  EXPECT_GT(gemm.split.k, 16);
  ASSERT_EQ(gemm.plan.chunks.size(), 1U);
  EXPECT_EQ(gemm.plan.chunks[0].terms, gemm.k_part());
  EXPECT_EQ(gemm.combining_adds(), gemm.split.k - 1);
}

TEST(GemmSplit, NoPartsOfKWithoutAVectorUnitThatAddsThem) {
  NpuSpec npu = load_shipped("nvidia_a100");
  npu.vector_unit.cycles_per_element.erase("add");
  EXPECT_EQ(map(npu, product(64, 64, 100'000)).split.k, 1);
  npu = load_shipped("nvidia_a100");
  npu.vector_unit.internal = precision::fp16();
  EXPECT_EQ(map(npu, product(64, 64, 100'000)).split.k, 1);
}

TEST(GemmSplit, SplitsThatWouldOnlyHelpTheArraysAreNotTakenWhereMemoryDecides) {
  NpuSpec npu = load_shipped("nvidia_a100");
  npu.dram.bandwidth_bytes_per_cycle = 1.0;
  EXPECT_EQ(map(npu, product(1, 4096, 4096)).split.k, 1);
}

// The sum of each part under the plan without the split, added up in order by hand.
TEST(GemmSplit, ThePlanIsThePartsAddedInOrder) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  for (const char* name : {"nvidia_a100", "huawei_ascend_910", "tenstorrent_wormhole",
                           "google_tpu_v4", "habana_gaudi3"}) {
    const NpuSpec npu = load_shipped(name);
    workloads::Contraction contraction = product(1, 8, 20'000);
    contraction.bias_input = 2;
    const GemmMapping gemm = map(npu, contraction);
    ASSERT_GT(gemm.split.k, 1) << name;
    const std::int64_t terms = contraction.k();
    std::vector<double> a, b;
    for (std::int64_t i = 0; i < terms; ++i) {
      a.push_back(precision::round_to(normal(random), gemm.unit.a, precision::Rounding::rne));
      b.push_back(precision::round_to(normal(random), gemm.unit.b, precision::Rounding::rne));
    }
    const double bias = 1.5;
    const bool preload = gemm.plan.bias == precision::BiasEntry::preload;
    double sum = preload ? bias : 0.0;
    const precision::Arithmetic& sums = gemm.unit.accumulator();
    for (std::int64_t begin = 0; begin < terms; begin += gemm.k_part()) {
      const std::int64_t count = std::min(gemm.k_part(), terms - begin);
      precision::ReductionPlan part = gemm.plan;
      part.chunks.pop_back();
      part.dims = {{"K", count}};
      const double partial =
          precision::planned_dot(gemm.unit, part, a.data() + begin, b.data() + begin, nullptr);
      sum = begin == 0 && !preload ? partial : precision::rounded_sum(sum, partial, sums);
    }
    if (!preload) sum = precision::rounded_sum(sum, bias, sums);
    EXPECT_EQ(precision::planned_dot(gemm.unit, gemm.plan, a.data(), b.data(), &bias), sum) << name;
    EXPECT_EQ(gemm.combining_adds(), gemm.split.k - (preload ? 0 : 1));
    MappedGraph one, other;
    one.graph.nodes.resize(1);
    MappedOp op;
    op.node = 0;
    op.gemm = gemm;
    one.ops.push_back(op);
    other = one;
    std::swap(other.ops.front().gemm->split.n, other.ops.front().gemm->split.k);
    EXPECT_NE(one.hash(), other.hash());
  }
}

TEST(GemmSplit, CandidatesStayWithinTheArraysAndComeFastestFirst) {
  for (const char* name : {"nvidia_a100", "graphcore_mk2", "google_tpu_v4", "systolic128_bf16"}) {
    const NpuSpec npu = load_shipped(name);
    GemmMapping gemm = map(npu, product(96, 512, 768, 7));
    std::int64_t before = 0;
    for (const RankedSplit& ranked : candidate_splits(npu, gemm, 100)) {
      EXPECT_LE(ranked.split.parts(), npu.mac_array.arrays);
      EXPECT_LE(ranked.split.groups, 7);
      EXPECT_GE(ranked.least_cycles, before);
      before = ranked.least_cycles;
    }
    EXPECT_GE(before, 100);
  }
}

}  // namespace
}  // namespace npusim::npu
