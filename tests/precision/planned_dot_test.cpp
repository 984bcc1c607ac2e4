// SPDX-License-Identifier: Apache-2.0
// Whole sums under a plan, each against a reference written here with MPFR steps.
#include <gtest/gtest.h>

#include "oracle.h"
#include "precision/reduction_plan.h"
#include "units.h"

namespace npusim::precision {
namespace {

using oracle::fused;
using oracle::same;

const Arithmetic kHalf = {fp16(), Rounding::rne};
const Arithmetic kSingle = {fp32(), Rounding::rne};

ReductionPlan flat(std::int64_t k) {
  ReductionPlan plan;
  plan.dims = {{"K", k}};
  return plan;
}

struct Operands {
  std::vector<double> a, b;
};
Operands operands(std::int64_t k, std::uint64_t seed) {
  units::Random random(seed);
  return {random.values(k, fp16(), 2.0), random.values(k, fp16(), 2.0)};
}

/// A chain over terms [begin, end) from `start`.
double chain(const Operands& x, std::size_t begin, std::size_t end, double start,
             const Arithmetic& sum) {
  for (std::size_t i = begin; i < end; ++i) start = fused(x.a[i], x.b[i], start, sum);
  return start;
}

/// accumulate_below: each fold of `rows` terms is a chain of its own, added in accumulator memory.
double below(const Operands& x, std::size_t rows, const Arithmetic& array,
             const Arithmetic& memory) {
  const std::size_t k = x.a.size();
  double total = 0.0;
  for (std::size_t at = 0; at < k; at += rows) {
    const double fold = chain(x, at, std::min(k, at + rows), 0.0, array);
    total = at == 0 ? oracle::Exact(fold).rounded(memory.format, memory.rounding)
                    : oracle::rounded_sum(total, fold, memory);
  }
  return total;
}

TEST(PartialSums, AccumulatedBelowTheArrayTheRowCountShowsInTheBits) {
  const std::int64_t k = 512;
  const MacUnit unit = units::chain(fp16(), kHalf);
  int differ = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Operands x = operands(k, seed);
    double sums[2];
    int which = 0;
    for (const std::int64_t rows : {32, 128}) {
      ReductionPlan plan = flat(k);
      plan.chunks = {{rows, Chunk::Join::add, kHalf}};
      const double got = planned_dot(unit, plan, x.a.data(), x.b.data(), nullptr);
      EXPECT_TRUE(same(got, below(x, static_cast<std::size_t>(rows), kHalf, kHalf)));
      sums[which++] = got;
    }
    differ += sums[0] != sums[1] ? 1 : 0;
  }
  EXPECT_GT(differ, 10);
}

TEST(PartialSums, ReinjectedAtTheTopTheRowCountLeavesNoTrace) {
  const std::int64_t k = 512;
  const MacUnit unit = units::chain(fp16(), kHalf);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Operands x = operands(k, seed);
    const double want = chain(x, 0, static_cast<std::size_t>(k), 0.0, kHalf);
    EXPECT_TRUE(same(planned_dot(unit, flat(k), x.a.data(), x.b.data(), nullptr), want));
    for (const std::int64_t rows : {32, 128}) {  // a carry in the accumulator's own format: no loss
      ReductionPlan plan = flat(k);
      plan.chunks = {{rows, Chunk::Join::carry, kHalf}};
      EXPECT_TRUE(same(planned_dot(unit, plan, x.a.data(), x.b.data(), nullptr), want));
    }
  }
}

TEST(PartialSums, WiderAccumulatorMemoryThanArray) {
  const Operands x = operands(200, 3);
  ReductionPlan plan = flat(200);
  plan.chunks = {{64, Chunk::Join::add, kSingle}};
  const MacUnit unit = units::chain(fp16(), kHalf);
  EXPECT_TRUE(
      same(planned_dot(unit, plan, x.a.data(), x.b.data(), nullptr), below(x, 64, kHalf, kSingle)));
}

TEST(Spill, CarriedSumsAreRoundedToTheSpillFormatAtEachCut) {
  const Operands x = operands(200, 4);
  ReductionPlan plan = flat(200);
  plan.chunks = {{64, Chunk::Join::carry, kHalf}};
  const MacUnit unit = units::chain(fp16(), kSingle);
  double want = 0.0;
  for (std::size_t at = 0; at < 200; at += 64)
    want = at + 64 >= 200
               ? chain(x, at, 200, want, kSingle)  // what is finished does not spill
               : oracle::Exact(chain(x, at, at + 64, want, kSingle)).rounded(fp16(), Rounding::rne);
  EXPECT_TRUE(same(planned_dot(unit, plan, x.a.data(), x.b.data(), nullptr), want));
}

TEST(Chunks, NestedInsideOneAnother) {
  const Operands x = operands(300, 5);
  const MacUnit unit = units::chain(fp16(), kHalf);
  ReductionPlan plan = flat(300);
  plan.chunks = {{32, Chunk::Join::add, kHalf}, {128, Chunk::Join::add, kSingle}};
  double total = 0.0;
  for (std::size_t outer = 0; outer < 300; outer += 128) {
    const std::size_t end = std::min<std::size_t>(300, outer + 128);
    double inner = 0.0;
    for (std::size_t at = outer; at < end; at += 32) {
      const double fold = chain(x, at, std::min(end, at + 32), 0.0, kHalf);
      inner = at == outer ? fold : oracle::rounded_sum(inner, fold, kHalf);
    }
    total = outer == 0 ? inner : oracle::rounded_sum(total, inner, kSingle);
  }
  EXPECT_TRUE(same(planned_dot(unit, plan, x.a.data(), x.b.data(), nullptr), total));
}

TEST(Bias, PreloadedItEntersFirstAfterwardsLast) {
  // 2048 in FP16 swallows ones: preloaded they all vanish, afterwards they were summed before.
  const std::vector<double> ones(64, 1.0);
  const MacUnit unit = units::chain(fp16(), kHalf);
  const double bias = 2048.0;
  ReductionPlan plan = flat(64);
  EXPECT_EQ(planned_dot(unit, plan, ones.data(), ones.data(), &bias), 2048.0);
  plan.bias = BiasEntry::after;
  EXPECT_EQ(planned_dot(unit, plan, ones.data(), ones.data(), &bias), 2112.0);
}

TEST(Bias, IsRoundedToTheAccumulatorOnEntry) {
  const std::vector<double> none(1, 0.0);
  const double bias = 1.0 + 0x1p-11 + 0x1p-20;
  for (const BiasEntry entry : {BiasEntry::preload, BiasEntry::after}) {
    ReductionPlan plan = flat(1);
    plan.bias = entry;
    EXPECT_EQ(planned_dot(units::chain(fp16(), kHalf), plan, none.data(), none.data(), &bias),
              1.0 + 0x1p-10);
  }
}

TEST(Bias, PreloadedIntoTheFirstChunkOnlyInCarryAndIntoTheRunningSumInAdd) {
  const Operands x = operands(96, 6);
  const MacUnit unit = units::chain(fp16(), kHalf);
  const double bias = 300.0;
  ReductionPlan plan = flat(96);
  plan.chunks = {{32, Chunk::Join::add, kHalf}};
  double want = bias;
  for (std::size_t at = 0; at < 96; at += 32)
    want = oracle::rounded_sum(want, chain(x, at, at + 32, 0.0, kHalf), kHalf);
  EXPECT_TRUE(same(planned_dot(unit, plan, x.a.data(), x.b.data(), &bias), want));
  plan.chunks[0].join = Chunk::Join::carry;
  EXPECT_TRUE(
      same(planned_dot(unit, plan, x.a.data(), x.b.data(), &bias), chain(x, 0, 96, bias, kHalf)));
}

TEST(Order, ChangesTheBitsAsTheReorderedSumDoes) {
  // fprop C/2 R S C over (C,R,S) = (6,1,3); dgrad R S K over (K,R,S); wgrad OW N OH over (N,OH,OW).
  struct Case {
    std::vector<ReduceDim> dims;
    std::vector<KLoop> order;
    std::vector<std::size_t> by_hand;
  };
  const std::vector<Case> cases = {{{{"C", 4}, {"R", 1}, {"S", 3}},
                                    {{0, 2}, {1, 1}, {2, 1}, {0, 1}},
                                    {0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11}},
                                   {{{"K", 4}, {"R", 1}, {"S", 3}},
                                    {{1, 1}, {2, 1}, {0, 1}},
                                    {0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11}},
                                   {{{"N", 2}, {"OH", 2}, {"OW", 3}},
                                    {{2, 1}, {0, 1}, {1, 1}},
                                    {0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11}}};
  const MacUnit unit = units::chain(fp16(), kHalf);
  int differ = 0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const Operands x = operands(12, 100 + seed);
    for (const Case& c : cases) {
      ReductionPlan plan;
      plan.dims = c.dims;
      plan.order = c.order;
      double want = 0.0;
      for (const std::size_t i : c.by_hand) want = fused(x.a[i], x.b[i], want, kHalf);
      EXPECT_TRUE(same(planned_dot(unit, plan, x.a.data(), x.b.data(), nullptr), want));
      differ += want != chain(x, 0, 12, 0.0, kHalf) ? 1 : 0;
    }
  }
  EXPECT_GT(differ, 30);
}

TEST(Order, PaddedTailsShiftTheGroupsOfATree) {
  // 3 channels in blocks of 4 over 2 taps, groups of 4: padding puts each tap in a group of its
  // own.
  const MacUnit unit = units::tree(fp16(), 4, kHalf);
  ReductionPlan plan;
  plan.dims = {{"C", 3}, {"S", 2}};
  plan.order = {{0, 4}, {1, 1}, {0, 1}};
  const double a[6] = {2048, 1, 1, 1, 1, 1};  // canonical: channel, then tap
  const double b[6] = {1, 1, 1, 1, 1, 1};
  plan.tail = Tail::pad;  // (2048+1)+(1+0) and (1+1)+(1+0)
  EXPECT_EQ(planned_dot(unit, plan, a, b, nullptr), 2052.0);
  plan.tail = Tail::pack;  // (2048+1)+(1+1) and (1+1)+(0+0)
  EXPECT_EQ(planned_dot(unit, plan, a, b, nullptr), 2052.0);
  const double c[6] = {2048, 1, 1, 0, 1, 0};
  plan.tail = Tail::pad;  // tap 0: (2048+1)+(1+0) = 2048; tap 1: (1+0)+0
  EXPECT_EQ(planned_dot(unit, plan, c, b, nullptr), 2048.0);
  plan.tail = Tail::pack;  // (2048+1)+(1+1) = 2050
  EXPECT_EQ(planned_dot(unit, plan, c, b, nullptr), 2050.0);
}

/// Ones added to a sum stop counting at 2^p, p significand bits (swamping).
TEST(SumOfOnes, StallsAtTwoToThePrecision) {
  const std::vector<double> ones(20000, 1.0);
  struct Case {
    Format format;
    double stall;
  };
  for (const Case& c : {Case{format_from_name("e5m2"), 8}, Case{format_from_name("e4m3"), 16},
                        Case{bf16(), 256}, Case{format_from_name("e6m9"), 1024}, Case{fp16(), 2048},
                        Case{format_from_name("e8m10"), 2048}}) {
    const MacUnit unit = units::chain(c.format, {c.format, Rounding::rne});
    EXPECT_EQ(mac_chain(unit, ones.data(), ones.data(), 20000, 0.0), c.stall) << c.format.name;
  }
  const MacUnit single = units::chain(fp32(), kSingle);
  EXPECT_EQ(mac_chain(single, ones.data(), ones.data(), 100, 16777216.0 - 50.0), 16777216.0);
}

/// FP16 weight updates vanish below half a unit in the last place (Micikevicius et al. 2018, 3.1).
TEST(WeightUpdate, IsLostBelowHalfAUlp) {
  const MacUnit unit = units::chain(fp16(), kHalf);
  const auto updated = [&](double by) {
    const double one = 1.0;
    return mac_chain(unit, &by, &one, 1, 1.0);
  };
  EXPECT_EQ(updated(0x1p-11), 1.0);             // a tie goes to even
  EXPECT_EQ(updated(-0x1p-11), 1.0 - 0x1p-11);  // below 1 the spacing halves
  EXPECT_EQ(updated(-0x1p-12), 1.0);
}

/// Where FP16 turns small numbers into zero.
TEST(Underflow, ThresholdsOfFp16) {
  EXPECT_EQ(round_to(0x1p-25, fp16(), Rounding::rne), 0.0);
  EXPECT_EQ(round_to(0x1.0000000000001p-25, fp16(), Rounding::rne), 0x1p-24);
  EXPECT_EQ(round_to(0x1.fffffffffffffp-25, fp16(), Rounding::rne), 0x1p-24);
  EXPECT_EQ(round_to(0x1.fffffffffffffp-25, fp16(), Rounding::rtz), 0.0);
  EXPECT_EQ(round_to(0x1p-24, fp16(), Rounding::rtz), 0x1p-24);
}

}  // namespace
}  // namespace npusim::precision
