// SPDX-License-Identifier: Apache-2.0
// Plans against what any plan must hold, and small ones by hand.
#include "npu_models/buffer_plan.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace npusim::npu {
namespace {

bool meet(const Buffer& a, const Buffer& b) {
  return a.first <= b.last && b.first <= a.last;
}

std::int64_t most_alive(const std::vector<Buffer>& buffers) {
  std::int64_t most = 0;
  for (const Buffer& at : buffers) {
    std::int64_t sum = 0;
    for (const Buffer& other : buffers)
      if (other.first <= at.first && at.first <= other.last) sum += other.bytes;
    most = std::max(most, sum);
  }
  return most;
}

RC_GTEST_PROP(BufferPlan, BuffersThatLiveTogetherDoNotOverlap, ()) {
  const auto count = static_cast<std::size_t>(*rc::gen::inRange(0, 60));
  std::vector<Buffer> buffers(count);
  for (Buffer& buffer : buffers) {
    buffer.bytes = *rc::gen::inRange<std::int64_t>(0, 5000);
    buffer.first = *rc::gen::inRange(0, 30);
    buffer.last = buffer.first + *rc::gen::inRange(0, 8);
  }
  const BufferPlan plan = plan_buffers(buffers);
  RC_ASSERT(plan.offsets.size() == count);
  RC_ASSERT(plan.bytes >= most_alive(buffers));
  for (std::size_t i = 0; i < count; ++i) {
    RC_ASSERT(plan.offsets[i] % kBufferAlignment == 0);
    RC_ASSERT(plan.offsets[i] >= 0 && plan.offsets[i] + buffers[i].bytes <= plan.bytes);
    for (std::size_t j = 0; j < i; ++j) {
      if (!meet(buffers[i], buffers[j]) || buffers[i].bytes == 0 || buffers[j].bytes == 0) continue;
      RC_ASSERT(plan.offsets[i] + buffers[i].bytes <= plan.offsets[j] ||
                plan.offsets[j] + buffers[j].bytes <= plan.offsets[i]);
    }
  }
}

// A chain whose ops each read what the one before wrote needs two buffers, however long it is.
TEST(BufferPlan, AChainTakesTurnsWithTwoBuffers) {
  std::vector<Buffer> chain;
  for (int i = 0; i < 100; ++i) chain.push_back({640, i, i + 1});
  EXPECT_EQ(plan_buffers(chain).bytes, 2 * 640);
}

TEST(BufferPlan, AGapIsFilledByWhatFitsItBest) {
  // Three that live throughout leave, when the second and fourth have gone, gaps of 256 and 128.
  const std::vector<Buffer> buffers = {{1024, 0, 9}, {256, 0, 4}, {512, 0, 9},
                                       {128, 0, 4},  {128, 5, 9}, {256, 5, 9}};
  const BufferPlan plan = plan_buffers(buffers);
  EXPECT_EQ(plan.bytes, 1024 + 512 + 256 + 128);
  EXPECT_EQ(plan.offsets[5], plan.offsets[1]);
  EXPECT_EQ(plan.offsets[4], plan.offsets[3]);
}

TEST(BufferPlan, SizesAreRoundedUpToTheAlignment) {
  EXPECT_EQ(plan_buffers({{1, 0, 0}, {1, 0, 0}}).bytes, 2 * kBufferAlignment);
  EXPECT_EQ(plan_buffers({}).bytes, 0);
}

}  // namespace
}  // namespace npusim::npu
