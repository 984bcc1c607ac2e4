// SPDX-License-Identifier: Apache-2.0
// Cube and dot product against a pipeline that issues one block a cycle and waits for its partial
// sum.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "npu_models/organisation.h"

namespace npusim::npu {
namespace {

struct Pipeline {
  std::int64_t latency = 1;
  std::int64_t before_accumulator = 1;  ///< multipliers and tree

  /// One block of operands for one output block: stalls until that output's last sum is there.
  void issue(std::int64_t output) {
    std::int64_t at = next;
    const auto pending = ready.find(output);
    if (pending != ready.end()) at = std::max(at, pending->second - before_accumulator);
    ready[output] = at + before_accumulator + latency;
    finished = std::max(finished, ready[output]);
    next = at + 1;
    ++issued;
  }

  std::map<std::int64_t, std::int64_t> ready;
  std::int64_t next = 0, finished = 0, issued = 0;
};

std::int64_t tree_levels(std::int64_t terms) {
  std::int64_t levels = 0;
  for (; terms > 1; terms = (terms + 1) / 2) ++levels;
  return levels;
}

std::int64_t blocks_in(std::int64_t extent, std::int64_t size) {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < extent; i += size) ++count;
  return count;
}

void expect_equal(const TileCycles& cycles, const Pipeline& pipeline) {
  RC_ASSERT(cycles.busy == pipeline.issued);
  RC_ASSERT(cycles.dependency == pipeline.next - pipeline.issued);
  RC_ASSERT(cycles.total() == pipeline.finished);
  RC_ASSERT(cycles.preload == 0);
}

RC_GTEST_PROP(Cube, CyclesEqualABlockPipeline, ()) {
  MacArraySpec array;
  array.organisation = "cube";
  array.rows = *rc::gen::inRange<std::int64_t>(1, 20);
  array.cols = *rc::gen::inRange<std::int64_t>(1, 20);
  array.depth = *rc::gen::inRange<std::int64_t>(1, 40);
  const auto latency = *rc::gen::inRange<std::int64_t>(1, 9);
  const auto rate = *rc::gen::inRange<std::int64_t>(1, 3);
  const TileShape tile{*rc::gen::inRange<std::int64_t>(1, 80),
                       *rc::gen::inRange<std::int64_t>(1, 80),
                       *rc::gen::inRange<std::int64_t>(1, 200)};
  Pipeline pipeline;
  pipeline.latency = latency;
  pipeline.before_accumulator = 1 + tree_levels(array.depth);
  const std::int64_t outputs = blocks_in(tile.m, array.rows * rate) * blocks_in(tile.n, array.cols);
  for (std::int64_t step = 0; step < blocks_in(tile.k, array.depth); ++step)
    for (std::int64_t output = 0; output < outputs; ++output) pipeline.issue(output);
  expect_equal(find_organisation("cube")->tile_cycles(array, rate, latency, tile), pipeline);
}

RC_GTEST_PROP(DotProduct, CyclesEqualABlockPipeline, ()) {
  MacArraySpec array;
  array.organisation = "dot_product";
  array.rows = *rc::gen::inRange<std::int64_t>(1, 20);
  array.depth = *rc::gen::inRange<std::int64_t>(1, 100);
  const auto latency = *rc::gen::inRange<std::int64_t>(1, 9);
  const TileShape tile{*rc::gen::inRange<std::int64_t>(1, 60),
                       *rc::gen::inRange<std::int64_t>(1, 80),
                       *rc::gen::inRange<std::int64_t>(1, 400)};
  Pipeline pipeline;
  pipeline.latency = latency;
  pipeline.before_accumulator = 1 + tree_levels(array.depth);
  for (std::int64_t group = 0; group < blocks_in(tile.n, array.rows); ++group)
    for (std::int64_t step = 0; step < blocks_in(tile.k, array.depth); ++step)
      for (std::int64_t m = 0; m < tile.m; ++m) pipeline.issue(group * tile.m + m);
  expect_equal(find_organisation("dot_product")->tile_cycles(array, 1, latency, tile), pipeline);
}

TEST(Cube, WaitsForThePartialSumWhenThereIsNothingToInterleave) {
  MacArraySpec array;
  array.organisation = "cube";
  array.rows = array.cols = array.depth = 16;
  const TileCycles cycles = find_organisation("cube")->tile_cycles(array, 1, 4, {16, 16, 64});
  // Steps at 0, 4, 8, 12; each takes 1 + 4 + 4 cycles.
  EXPECT_EQ(cycles.total(), 12 + 9);
  EXPECT_EQ(cycles.busy, 4);
  EXPECT_EQ(cycles.dependency, 9);
  EXPECT_EQ(cycles.fill_drain, 8);
}

TEST(DotProduct, OrdersConvolutionsAsNvdla) {
  MacArraySpec array;
  array.organisation = "dot_product";
  array.rows = 16;
  array.depth = 64;
  const ReductionOrder order = find_organisation("dot_product")->default_order(array);
  const std::vector<NamedKLoop>& fprop = order.by_role.at("fprop");
  ASSERT_EQ(fprop.size(), 4U);
  EXPECT_EQ(fprop[0].dim, "C");
  EXPECT_EQ(fprop[0].block, 64);
  EXPECT_EQ(fprop[1].dim, "R");
  EXPECT_EQ(fprop[2].dim, "S");
  EXPECT_EQ(fprop[3].dim, "C");
  EXPECT_EQ(fprop[3].block, 1);
  EXPECT_EQ(order.by_role.at("dgrad")[0].dim, "K");
  EXPECT_EQ(order.by_role.count("wgrad"), 0U);
  EXPECT_EQ(order.tail, precision::Tail::pad);
}

TEST(Organisations, AreFoundByName) {
  EXPECT_EQ(organisations().size(), 3U);
  for (const Organisation* organisation : organisations())
    EXPECT_EQ(find_organisation(organisation->name()), organisation);
  EXPECT_EQ(find_organisation("ring"), nullptr);
}

}  // namespace
}  // namespace npusim::npu
