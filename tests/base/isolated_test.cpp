// SPDX-License-Identifier: Apache-2.0
#include "base/isolated.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>

#include "base/shared_counters.h"

namespace npusim::base {
namespace {

TEST(RunIsolated, PayloadsComeBackInOrder) {
  for (const int parallel : {1, 3}) {
    std::vector<std::size_t> reports;
    const auto outcomes = run_isolated(
        7, parallel,
        [](std::size_t i) {
          std::this_thread::sleep_for(std::chrono::milliseconds(5 * (7 - i)));
          return std::string("payload ") + std::to_string(i);
        },
        [&](std::size_t done) { reports.push_back(done); });
    ASSERT_EQ(outcomes.size(), 7U);
    for (std::size_t i = 0; i < 7; ++i) {
      EXPECT_TRUE(outcomes[i].ok);
      EXPECT_EQ(outcomes[i].payload, "payload " + std::to_string(i));
    }
    EXPECT_EQ(reports, (std::vector<std::size_t>{1, 2, 3, 4, 5, 6, 7}));
  }
}

TEST(RunIsolated, LargePayloadsArriveWhole) {
  const auto outcomes = run_isolated(
      3, 2, [](std::size_t i) { return std::string(10'000'000, static_cast<char>('a' + i)); });
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(outcomes[i].payload, std::string(10'000'000, static_cast<char>('a' + i)));
  }
  EXPECT_TRUE(run_isolated(1, 1, [](std::size_t) { return std::string(); })[0].ok);
  EXPECT_TRUE(run_isolated(0, 1, [](std::size_t) { return std::string(); }).empty());
}

TEST(RunIsolated, ACrashIsOneFailedRow) {
  const auto outcomes = run_isolated(5, 2, [](std::size_t i) -> std::string {
    if (i == 0) ::raise(SIGKILL);
    if (i == 1) ::_exit(4);
    if (i == 2) throw std::runtime_error("no such format");
    if (i == 3) throw 3;
    return "fine";
  });
  EXPECT_EQ(outcomes[0].error, "killed by signal 9");
  EXPECT_EQ(outcomes[1].error, "exit 4: ended without a result");
  EXPECT_EQ(outcomes[2].error, "no such format");
  EXPECT_EQ(outcomes[3].error, "an exception of an unknown type");
  EXPECT_FALSE(outcomes[0].ok || outcomes[1].ok || outcomes[2].ok || outcomes[3].ok);
  EXPECT_TRUE(outcomes[4].ok);
}

TEST(RunIsolated, ChildrenDoNotTouchTheParent) {
  int value = 1;
  run_isolated(2, 2, [&](std::size_t) {
    value = 2;
    return std::string();
  });
  EXPECT_EQ(value, 1);
}

TEST(RunIsolated, InterruptEndsTheChildrenAndKeepsWhatIsDone) {
  const auto begin = std::chrono::steady_clock::now();
  const auto outcomes = run_isolated(
      4, 2,
      [](std::size_t i) {
        if (i > 0) std::this_thread::sleep_for(std::chrono::seconds(60));
        return std::string("done");
      },
      [](std::size_t) { ::kill(::getpid(), SIGINT); });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
  EXPECT_TRUE(outcomes[0].ok);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ(outcomes[i].error, "interrupted");
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);  // no child is left
}

// The children wait until the parent has been called, which sees what they have counted.
TEST(RunIsolated, TheParentIsCalledWhileChildrenWorkAndSeesTheirCounters) {
  SharedCounters done(3), calls(1);
  std::int64_t seen = 0;
  const auto outcomes = run_isolated(
      2, 2,
      [&](std::size_t i) {
        for (int step = 0; step < 1000; ++step) ++done[i];
        while (calls[0] < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return std::string();
      },
      {},
      [&] {
        seen = done.sum();
        if (seen == 2000) ++calls[0];
      });
  EXPECT_TRUE(outcomes[0].ok && outcomes[1].ok);
  EXPECT_EQ(seen, 2000);
  EXPECT_EQ(done[0], 1000);
  EXPECT_EQ(done[2], 0);
}

TEST(RunIsolated, TheCallersSignalHandlingComesBack) {
  struct sigaction before {};
  struct sigaction after {};
  ::sigaction(SIGINT, nullptr, &before);
  run_isolated(1, 1, [](std::size_t) { return std::string(); });
  ::sigaction(SIGINT, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST(RunIsolated, AThrowingCallbackLeavesNoChildren) {
  EXPECT_THROW(run_isolated(
                   3, 3,
                   [](std::size_t i) {
                     if (i > 0) std::this_thread::sleep_for(std::chrono::seconds(60));
                     return std::string();
                   },
                   [](std::size_t) { throw std::runtime_error("stop"); }),
               std::runtime_error);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

}  // namespace
}  // namespace npusim::base
