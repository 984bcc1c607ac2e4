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

RC_GTEST_PROP(Simd, CyclesEqualALanePipeline, ()) {
  MacArraySpec array;
  array.organisation = "simd";
  array.rows = *rc::gen::inRange<std::int64_t>(1, 9);
  array.cols = *rc::gen::inRange<std::int64_t>(1, 40);
  array.outputs_per_pe = *rc::gen::inRange<std::int64_t>(1, 9);
  array.depth = *rc::gen::inRange<std::int64_t>(1, 5);
  const auto latency = *rc::gen::inRange<std::int64_t>(1, 9);
  const TileShape tile{*rc::gen::inRange<std::int64_t>(1, 60),
                       *rc::gen::inRange<std::int64_t>(1, 80),
                       *rc::gen::inRange<std::int64_t>(1, 60)};
  Pipeline pipeline;
  pipeline.latency = latency;
  // A fused multiply-add of one product has no stage before the addition.
  pipeline.before_accumulator = array.depth == 1 ? 0 : 1 + tree_levels(array.depth);
  const std::int64_t blocks =
      blocks_in(tile.m, array.rows * array.outputs_per_pe) * blocks_in(tile.n, array.cols);
  for (std::int64_t block = 0; block < blocks; ++block)
    for (std::int64_t step = 0; step < blocks_in(tile.k, array.depth); ++step)
      for (std::int64_t output = 0; output < array.outputs_per_pe; ++output)
        pipeline.issue(block * array.outputs_per_pe + output);
  expect_equal(find_organisation("simd")->tile_cycles(array, 1, latency, tile), pipeline);
}

/// Instructions in order; each takes the unit and starts when the sums of its fragment are there.
RC_GTEST_PROP(TensorCore, CyclesEqualAnInOrderInstructionStream, ()) {
  MacArraySpec array;
  array.organisation = "tensor_core";
  array.rows = *rc::gen::inRange<std::int64_t>(1, 5);
  array.cols = *rc::gen::inRange<std::int64_t>(1, 5);
  array.depth = *rc::gen::inRange<std::int64_t>(1, 9);
  const auto times = [] { return *rc::gen::inRange<std::int64_t>(1, 4); };
  const std::int64_t down = times(), across = times(), deep = times();
  array.fragment = {array.rows * down, array.cols * across, array.depth * deep};
  array.fragments_in_flight = *rc::gen::inRange<std::int64_t>(1, 7);
  const auto latency = *rc::gen::inRange<std::int64_t>(1, 12);
  const TileShape tile{*rc::gen::inRange<std::int64_t>(1, 40),
                       *rc::gen::inRange<std::int64_t>(1, 40),
                       *rc::gen::inRange<std::int64_t>(1, 90)};
  const std::int64_t before = 1 + tree_levels(array.depth);
  const std::int64_t fragments =
      blocks_in(tile.m, array.fragment.m) * blocks_in(tile.n, array.fragment.n);
  std::map<std::int64_t, std::int64_t> ready;  // (fragment, sub-block): when its sum is there
  std::int64_t next = 0, issued = 0, finished = 0;
  for (std::int64_t first = 0; first < fragments; first += array.fragments_in_flight) {
    const std::int64_t last = std::min(fragments, first + array.fragments_in_flight);
    for (std::int64_t step = 0; step < blocks_in(tile.k, array.fragment.k); ++step) {
      for (std::int64_t fragment = first; fragment < last; ++fragment) {
        for (std::int64_t sub = 0; sub < deep; ++sub) {
          for (std::int64_t block = 0; block < down * across; ++block) {
            std::int64_t& sum = ready[fragment * 1000 + block];
            const std::int64_t at = std::max(next, sum - before);
            sum = at + before + latency;
            finished = std::max(finished, sum);
            next = at + 1;
            ++issued;
          }
        }
      }
    }
  }
  const TileCycles cycles = find_organisation("tensor_core")->tile_cycles(array, 1, latency, tile);
  RC_ASSERT(cycles.busy == issued);
  RC_ASSERT(cycles.total() == finished);
  RC_ASSERT(cycles.dependency == next - issued);
}

TEST(TensorCore, IssuesAnInstructionAFragment) {
  // 8 x 4 x 16 a cycle, fragments of 16 x 8 x 16: 4 cycles each; an addition of 12 cycles is hidden
  // behind three fragments in flight, not behind one.
  MacArraySpec array;
  array.organisation = "tensor_core";
  array.rows = 8;
  array.cols = 4;
  array.depth = 16;
  array.fragment = {16, 8, 16};
  array.fragments_in_flight = 3;
  const Organisation& unit = *find_organisation("tensor_core");
  EXPECT_EQ(unit.tile_cycles(array, 1, 12, {48, 8, 64}).total(), 4 * 3 * 4 + 16);
  array.fragments_in_flight = 1;
  EXPECT_EQ(unit.tile_cycles(array, 1, 12, {48, 8, 64}).total(), 3 * (3 * 12 + 4) + 16);
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
  EXPECT_EQ(organisations().size(), 5U);
  for (const Organisation* organisation : organisations())
    EXPECT_EQ(find_organisation(organisation->name()), organisation);
  EXPECT_EQ(find_organisation("ring"), nullptr);
}

}  // namespace
}  // namespace npusim::npu
