// SPDX-License-Identifier: Apache-2.0
#include "precision/reduction_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "units.h"

namespace npusim::precision {
namespace {

using testing::ElementsAre;

ReductionPlan plan_of(std::vector<ReduceDim> dims, std::vector<KLoop> order, Tail tail) {
  ReductionPlan plan;
  plan.dims = std::move(dims);
  plan.order = std::move(order);
  plan.tail = tail;
  return plan;
}

TEST(KOrder, CanonicalIsRowMajorOverTheDimensions) {
  const ReductionPlan plan = plan_of({{"C", 2}, {"R", 1}, {"S", 3}}, {}, Tail::pack);
  EXPECT_THAT(expand_order(plan), ElementsAre(0, 1, 2, 3, 4, 5));
}

// NVDLA direct convolution: C/64, R, S, then the 64 channels (nvdla.org, CSC); here blocks of 2 of
// 3 channels over a 1x2 kernel. Canonical index = (c*R + r)*S + s = 2c + s.
TEST(KOrder, NvdlaPadsTheLastChannelBlock) {
  const std::vector<ReduceDim> dims = {{"C", 3}, {"R", 1}, {"S", 2}};
  const std::vector<KLoop> order = {{0, 2}, {1, 1}, {2, 1}, {0, 1}};
  EXPECT_THAT(expand_order(plan_of(dims, order, Tail::pad)), ElementsAre(0, 2, 1, 3, 4, -1, 5, -1));
  EXPECT_THAT(expand_order(plan_of(dims, order, Tail::pack)), ElementsAre(0, 2, 1, 3, 4, 5));
}

TEST(KOrder, NvdlaAtItsRealSize) {
  const ReductionPlan plan =
      plan_of({{"C", 96}, {"R", 3}, {"S", 3}}, {{0, 64}, {1, 1}, {2, 1}, {0, 1}}, Tail::pad);
  const std::vector<std::int64_t> order = expand_order(plan);
  ASSERT_EQ(order.size(), 2u * 9u * 64u);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t block = i / (9 * 64), tap = i / 64 % 9, channel = block * 64 + i % 64;
    const std::int64_t want = channel < 96 ? static_cast<std::int64_t>(channel * 9 + tap) : -1;
    ASSERT_EQ(order[i], want) << i;
  }
}

TEST(KOrder, ChannelsInnermost) {  // R, S, C: canonical index = c*2 + s
  const ReductionPlan plan =
      plan_of({{"C", 3}, {"R", 1}, {"S", 2}}, {{1, 1}, {2, 1}, {0, 1}}, Tail::pack);
  EXPECT_THAT(expand_order(plan), ElementsAre(0, 2, 4, 1, 3, 5));
}

TEST(KOrder, DgradRunsOverFiltersAndTaps) {  // K/2, S, K over (K, R, S) = (4, 1, 2)
  const ReductionPlan plan =
      plan_of({{"K", 4}, {"R", 1}, {"S", 2}}, {{0, 2}, {1, 1}, {2, 1}, {0, 1}}, Tail::pack);
  EXPECT_THAT(expand_order(plan), ElementsAre(0, 2, 1, 3, 4, 6, 5, 7));
}

TEST(KOrder, WgradRunsOverImagesAndPositions) {  // OH, N, OW over (N, OH, OW) = (2, 2, 2)
  const ReductionPlan plan =
      plan_of({{"N", 2}, {"OH", 2}, {"OW", 2}}, {{1, 1}, {0, 1}, {2, 1}}, Tail::pack);
  EXPECT_THAT(expand_order(plan), ElementsAre(0, 1, 4, 5, 2, 3, 6, 7));
}

TEST(KOrder, TwoLevelsOfBlocksInOneDimension) {
  const ReductionPlan pack =
      plan_of({{"K", 7}, {"S", 2}}, {{0, 4}, {1, 1}, {0, 2}, {0, 1}}, Tail::pack);
  EXPECT_THAT(expand_order(pack), ElementsAre(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 9, 11, 13));
  ReductionPlan pad = pack;
  pad.tail = Tail::pad;
  EXPECT_THAT(expand_order(pad), ElementsAre(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, -1, 9, 11, 13, -1));
}

/// Any legal blocked nest over up to three dimensions.
ReductionPlan any_plan() {
  ReductionPlan plan;
  const int dims = *rc::gen::inRange(1, 4);
  std::vector<int> left;
  for (int d = 0; d < dims; ++d) {
    plan.dims.push_back({std::string(1, static_cast<char>('A' + d)), *rc::gen::inRange(1, 9)});
    const int outer = *rc::gen::element(1, 2, 3, 4, 6);
    if (outer > 1) left.push_back(d * 100 + outer);
    left.push_back(d * 100 + 1);
  }
  // A random interleaving that keeps each dimension's loops in order, outer block first.
  while (!left.empty()) {
    const std::size_t at = *rc::gen::inRange<std::size_t>(0, left.size());
    const int dim = left[at] / 100;
    const auto first =
        std::find_if(left.begin(), left.end(), [&](int l) { return l / 100 == dim; });
    plan.order.push_back({dim, *first % 100});
    left.erase(first);
  }
  plan.tail = *rc::gen::element(Tail::pack, Tail::pad);
  return plan;
}

RC_GTEST_PROP(KOrder, VisitsEveryIndexOnceAndPadsAsCounted, ()) {
  const ReductionPlan plan = any_plan();
  validate(plan, units::chain(fp16(), units::arithmetic(fp16(), Rounding::rne)));
  const std::vector<std::int64_t> order = expand_order(plan);
  RC_ASSERT(static_cast<std::int64_t>(order.size()) == ordered_terms(plan));
  std::set<std::int64_t> seen;
  for (const std::int64_t index : order)
    if (index >= 0) RC_ASSERT(seen.insert(index).second);
  RC_ASSERT(static_cast<std::int64_t>(seen.size()) == plan.terms());
  RC_ASSERT(*seen.rbegin() == plan.terms() - 1);
  if (plan.tail == Tail::pack) RC_ASSERT(order.size() == seen.size());
}

TEST(Deal, GivesGroupsToTheSumsInTurn) {
  ReductionPlan plan = plan_of({{"K", 10}}, {}, Tail::pack);
  plan.deal = Deal{2, 2, 8};
  EXPECT_THAT(expand_order(plan),
              ElementsAre(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, -1, -1, -1, -1, -1, -1));
  EXPECT_EQ(ordered_terms(plan), 16);
  EXPECT_NE(describe(plan).find("deal 8/2 by 2"), std::string::npos) << describe(plan);
}

TEST(Deal, AddsUpTheSumsOfABlock) {
  // FP16: 2048 + 1 is 2048; 2048 and -2048 in one sum, the two ones in the other, give 2.
  const MacUnit unit = units::chain(fp16(), units::arithmetic(fp16(), Rounding::rne));
  ReductionPlan plan = plan_of({{"K", 4}}, {}, Tail::pack);
  const double a[] = {2048.0, 1.0, -2048.0, 1.0}, b[] = {1.0, 1.0, 1.0, 1.0};
  EXPECT_EQ(planned_dot(unit, plan, a, b, nullptr), 1.0);
  plan.deal = Deal{2, 1, 4};
  plan.chunks = {{2, Chunk::Join::add, unit.accumulator()},
                 {4, Chunk::Join::add, unit.accumulator()}};
  validate(plan, unit);
  EXPECT_EQ(planned_dot(unit, plan, a, b, nullptr), 2.0);
  plan.chunks.front().terms = 4;
  EXPECT_THROW(validate(plan, unit), std::invalid_argument);
}

TEST(PlanValidation, NamesEveryBrokenRule) {
  const MacUnit unit = units::tree(fp16(), 16, units::arithmetic(fp16(), Rounding::rne));
  const auto broken = [&](const ReductionPlan& plan, const char* rule) {
    try {
      validate(plan, unit);
      ADD_FAILURE() << "accepted: " << rule;
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(rule), std::string::npos) << error.what();
    }
  };
  broken(plan_of({}, {}, Tail::pack), "at least one dimension");
  broken(plan_of({{"K", 0}}, {}, Tail::pack), "extent below 1");
  broken(plan_of({{"K", 4}}, {{1, 1}}, Tail::pack), "does not have");
  broken(plan_of({{"K", 4}}, {{0, 0}}, Tail::pack), "block below 1");
  broken(plan_of({{"K", 4}}, {{0, 3}, {0, 2}, {0, 1}}, Tail::pack), "must divide");
  broken(plan_of({{"K", 4}}, {{0, 2}}, Tail::pack), "needs a loop with block 1");
  broken(plan_of({{"K", 4}}, {{0, 1}, {0, 1}}, Tail::pack), "inside block 1");
  ReductionPlan chunked = plan_of({{"K", 4}}, {}, Tail::pack);
  const Arithmetic single = units::arithmetic(fp32(), Rounding::rne);
  chunked.chunks = {{24, Chunk::Join::add, single}};
  broken(chunked, "whole blocks");
  chunked.chunks = {{32, Chunk::Join::add, single}, {48, Chunk::Join::add, single}};
  broken(chunked, "multiples");
}

TEST(Describe, IsReadableAndDistinguishesPlans) {
  ReductionPlan plan =
      plan_of({{"C", 96}, {"R", 3}, {"S", 3}}, {{0, 64}, {1, 1}, {2, 1}, {0, 1}}, Tail::pad);
  plan.chunks = {{128, Chunk::Join::add, units::arithmetic(fp32(), Rounding::rne)}};
  EXPECT_EQ(describe(plan), "C=96,R=3,S=3 | C/64 R S C pad | 128 add fp32 rne | bias preload");
  std::set<std::string> texts = {describe(plan)};
  const auto distinct = [&] { EXPECT_TRUE(texts.insert(describe(plan)).second) << describe(plan); };
  plan.bias = BiasEntry::after;
  distinct();
  plan.chunks[0].join = Chunk::Join::carry;
  distinct();
  plan.chunks[0].arithmetic.format.overflow = Overflow::saturate;
  distinct();
  plan.chunks[0].arithmetic.format.subnormals = Subnormals::flush;
  distinct();
  plan.chunks[0].terms = 256;
  distinct();
  plan.tail = Tail::pack;
  distinct();
  plan.order.clear();
  distinct();
}

}  // namespace
}  // namespace npusim::precision
