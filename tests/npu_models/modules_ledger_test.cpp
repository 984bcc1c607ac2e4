// SPDX-License-Identifier: Apache-2.0
// Attribution of waiting cycles, against a cycle-by-cycle search in the test.
#include <gtest/gtest.h>

#include <random>

#include "npu_models/modules/ledger.h"

namespace npusim::npu::model {
namespace {

std::int64_t waits(const OpRecord& record, WaitCause cause) {
  return record.waits[static_cast<std::size_t>(cause)];
}

TEST(Ledger, FirstCauseInPriorityOrderTakesTheCycle) {
  Ledger ledger(3, 2);
  ledger.active(WaitCause::vector, 1, 2, 10, 0);
  ledger.active(WaitCause::load, 0, 4, 6, 0);
  ledger.active(WaitCause::store, 2, 0, 12, 0);
  ledger.tile(2, 14, 20, {});
  EXPECT_EQ(ledger.finish(), 20);
  EXPECT_EQ(waits(ledger.records()[0], WaitCause::load), 2 * 2);
  EXPECT_EQ(waits(ledger.records()[1], WaitCause::vector), 6 * 2);
  EXPECT_EQ(waits(ledger.records()[2], WaitCause::store), 4 * 2);
  EXPECT_EQ(waits(ledger.records()[2], WaitCause::launch), 2 * 2);
}

TEST(Ledger, LaunchCyclesBelongToTheOpWhoseTileEndsTheWait) {
  Ledger ledger(2, 1);
  ledger.tile(0, 3, 5, {});
  ledger.tile(1, 9, 12, {});
  EXPECT_EQ(ledger.finish(), 12);
  EXPECT_EQ(waits(ledger.records()[0], WaitCause::launch), 3);
  EXPECT_EQ(waits(ledger.records()[1], WaitCause::launch), 4);
}

TEST(Ledger, TailWithoutActivityBelongsToTheOpThatEndsLast) {
  Ledger ledger(2, 1);
  ledger.tile(0, 0, 5, {});
  ledger.active(WaitCause::store, 1, 8, 10, 5);
  EXPECT_EQ(ledger.finish(), 10);
  EXPECT_EQ(waits(ledger.records()[1], WaitCause::launch), 3);
  EXPECT_EQ(waits(ledger.records()[1], WaitCause::store), 2);
}

/// Many more intervals than the ledger keeps, long waits included.
TEST(Ledger, ForgettingOldIntervalsChangesNothing) {
  constexpr int kOps = 4;
  constexpr std::int64_t kCycles = 60000;
  std::mt19937 random(9);
  Ledger ledger(kOps, 1);
  std::array<std::vector<int>, 2> owner = {std::vector<int>(kCycles, -1),
                                           std::vector<int>(kCycles, -1)};
  std::vector<bool> tiled(kCycles, false);
  std::array<std::int64_t, 2> free_at = {0, 0};
  std::int64_t array_free = 0;
  std::array<std::int64_t, 2> expected{};
  std::int64_t tile_cycles = 0;
  for (std::int64_t now = 0; now < kCycles - 100; ++now) {
    for (std::size_t cause = 0; cause < 2; ++cause) {
      if (free_at[cause] > now || random() % 4 != 0) continue;
      const std::int64_t end = now + 1 + random() % 3;
      const int op = static_cast<int>(random() % kOps);
      ledger.active(cause == 0 ? WaitCause::load : WaitCause::host, op, now, end, now);
      for (std::int64_t c = now; c < end; ++c) owner[cause][static_cast<std::size_t>(c)] = op;
      free_at[cause] = end;
    }
    const bool tiles_allowed = now < 10000 || now > 50000;
    if (tiles_allowed && array_free <= now && random() % 16 == 0) {
      array_free = now + 1 + random() % 20;
      ledger.tile(0, now, array_free, {});
      for (std::int64_t c = now; c < array_free; ++c) tiled[static_cast<std::size_t>(c)] = true;
      tile_cycles += array_free - now;
    }
  }
  const std::int64_t end = ledger.finish();
  for (std::size_t c = 0; c < static_cast<std::size_t>(end); ++c) {
    if (tiled[c]) continue;
    if (owner[0][c] >= 0) {
      ++expected[0];
    } else if (owner[1][c] >= 0) {
      ++expected[1];
    }
  }
  std::int64_t loads = 0, hosts = 0, launches = 0;
  for (const OpRecord& record : ledger.records()) {
    loads += waits(record, WaitCause::load);
    hosts += waits(record, WaitCause::host);
    launches += waits(record, WaitCause::launch);
  }
  EXPECT_EQ(loads, expected[0]);
  EXPECT_EQ(hosts, expected[1]);
  EXPECT_EQ(loads + hosts + launches + tile_cycles, end);
}

}  // namespace
}  // namespace npusim::npu::model
