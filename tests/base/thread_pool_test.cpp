// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/progress.h"

namespace npusim::base {
namespace {

TEST(ThreadPool, EachIndexRunsOnce) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::int64_t count : {0, 1, 2, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
      pool.parallel_for(count, [&](std::int64_t i) { ++runs[static_cast<std::size_t>(i)]; });
      for (const auto& run : runs) EXPECT_EQ(run.load(), 1);
    }
  }
}

TEST(ThreadPool, ZeroMeansOnePerCore) {
  EXPECT_GE(ThreadPool(0).threads(), 1);
}

TEST(ThreadPool, OneThreadStaysOnItsCaller) {
  ThreadPool pool(1);
  pool.parallel_for(10, [caller = std::this_thread::get_id()](std::int64_t) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
  });
}

TEST(ThreadPool, WorkersReallyRunAtTheSameTime) {
  ThreadPool pool(2);
  std::atomic<int> inside{0};
  pool.parallel_for(2, [&](std::int64_t) {
    ++inside;
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (inside < 2 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    EXPECT_EQ(inside.load(), 2);
  });
}

TEST(ThreadPool, LoopsThatFollowEachOtherCloselyOrFarApart) {
  ThreadPool pool(3);
  for (int round = 0; round < 3000; ++round) {
    std::atomic<int> sum{0};
    pool.parallel_for(1 + round % 7, [&](std::int64_t i) { sum += static_cast<int>(i) + 1; });
    const int count = 1 + round % 7;
    ASSERT_EQ(sum.load(), count * (count + 1) / 2);
    if (round % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(ThreadPool, EndsRightAfterALoop) {
  for (int round = 0; round < 300; ++round) {
    ThreadPool pool(4);
    std::atomic<int> runs{0};
    pool.parallel_for(5, [&](std::int64_t) { ++runs; });
    ASSERT_EQ(runs.load(), 5);
  }
}

TEST(ThreadPool, TheLowestFailureIsTheOneThrown) {
  for (const int threads : {1, 4}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 50; ++round) {
      try {
        pool.parallel_for(1000, [](std::int64_t i) {
          if (i % 100 == 37) throw std::runtime_error(std::to_string(i));
        });
        FAIL() << "no exception";
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "37");
      }
    }
    std::atomic<int> runs{0};
    pool.parallel_for(100, [&](std::int64_t) { ++runs; });
    EXPECT_EQ(runs.load(), 100);
  }
}

TEST(ThreadPool, NestedLoopsRunOnTheirCaller) {
  ThreadPool pool(3);
  std::atomic<int> runs{0};
  pool.parallel_for(8, [&](std::int64_t) {
    const auto outer = std::this_thread::get_id();
    pool.parallel_for(8, [&](std::int64_t) {
      EXPECT_EQ(std::this_thread::get_id(), outer);
      ++runs;
    });
  });
  EXPECT_EQ(runs.load(), 64);
}

TEST(ThreadPool, TwoCallersShareAPool) {
  ThreadPool pool(2);
  std::atomic<int> runs{0};
  const auto call = [&] {
    for (int i = 0; i < 50; ++i) pool.parallel_for(20, [&](std::int64_t) { ++runs; });
  };
  std::thread other(call);
  call();
  other.join();
  EXPECT_EQ(runs.load(), 2000);
}

TEST(Progress, PrintsNothingWhereStderrIsNoTerminal) {
  ::testing::internal::CaptureStderr();
  {
    Progress progress("work", 10.0, false);
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    progress.advance(5.0, "half");
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace npusim::base
