// SPDX-License-Identifier: Apache-2.0
// What becomes of an order of terms in aligned blocks when their padding goes.
#include "precision/kernels/dense_blocks.h"

#include <gtest/gtest.h>

#include "precision/kernels/dispatch.h"
#include "precision/kernels/scratch.h"

namespace npusim::precision::kernels {
namespace {

using Order = std::vector<std::int64_t>;

LaneProgram of_step(std::int64_t step) {
  LaneProgram program{};
  program.alignment.fraction_bits = 25;
  set_step(program.alignment, step);
  return program;
}

TEST(DenseBlocks, HoldTheProductsOfTheFullestBlock) {
  LaneProgram program = of_step(8);
  const Order order = {0, 1,  2, -1, -1, -1, -1, -1,  //
                       3, -1, 4, -1, -1, -1, -1, -1};
  EXPECT_EQ(dense_blocks(order, program), (Order{0, 1, 2, -1, 3, 4, -1, -1}));
  EXPECT_EQ(program.alignment.step, 4);
}

TEST(DenseBlocks, StayWhereNothingIsWon) {
  LaneProgram program = of_step(4);
  const Order full = {0, 1, 2, 3, 4, -1, -1, -1};
  EXPECT_EQ(dense_blocks(full, program), full);
  const Order three = {0, 1, 2, -1};  // four is the next power of two
  EXPECT_EQ(dense_blocks(three, program), three);
  EXPECT_EQ(program.alignment.step, 4);
}

TEST(DenseBlocks, OfPaddingAloneKeepOneTerm) {
  LaneProgram program = of_step(4);
  EXPECT_EQ(dense_blocks(Order(8, -1), program), (Order{-1, -1}));
  EXPECT_EQ(program.alignment.step, 1);
}

TEST(DenseBlocks, ChunksCountTheNewTerms) {
  LaneProgram program = of_step(16);
  program.chunks = 2;
  program.chunk[0].terms = 32;
  program.chunk[1].terms = 128;
  Order order(64, -1);
  for (std::size_t block = 0; block < 4; ++block) order[16 * block] = static_cast<int>(block);
  EXPECT_EQ(dense_blocks(order, program), (Order{0, 1, 2, 3}));
  EXPECT_EQ(program.chunk[0].terms, 2);
  EXPECT_EQ(program.chunk[1].terms, 8);
}

// 16 products below 4 in units of 2^-25 reach 2^31, 8 do not.
TEST(DenseBlocks, SumsOfFewerProductsNeedFewerBits) {
  LaneProgram program = of_step(16);
  EXPECT_EQ(program.alignment.wide, 1);
  Order order(16, -1);
  for (std::size_t i = 0; i < 6; ++i) order[i] = static_cast<int>(i);
  dense_blocks(order, program);
  EXPECT_EQ(program.alignment.step, 8);
  EXPECT_EQ(program.alignment.wide, 0);
}

TEST(Scratch, ALargeBlockOutlivesManySmallOnes) {
  constexpr std::size_t kLarge = std::size_t{8} << 20;
  void* const large = take_scratch(kLarge);
  give_back_scratch(large, kLarge);
  for (int i = 0; i < 1000; ++i) {
    void* const small = take_scratch(4096);
    give_back_scratch(small, 4096);
  }
  void* const again = take_scratch(kLarge);
  EXPECT_EQ(again, large);
  give_back_scratch(again, kLarge);
}

TEST(Scratch, SizesThatNobodyAsksForAgainMakeRoom) {
  for (std::size_t i = 1; i <= 300; ++i) {  // more blocks and more bytes than are kept
    const std::size_t bytes = i * 4096;
    void* const memory = take_scratch(bytes);
    give_back_scratch(memory, bytes);
  }
  constexpr std::size_t kLarge = std::size_t{4} << 20;
  void* const large = take_scratch(kLarge);
  give_back_scratch(large, kLarge);
  void* const again = take_scratch(kLarge);
  EXPECT_EQ(again, large);
  give_back_scratch(again, kLarge);
  constexpr std::size_t kTooLarge = std::size_t{80} << 20;
  give_back_scratch(take_scratch(kTooLarge), kTooLarge);
}

}  // namespace
}  // namespace npusim::precision::kernels
