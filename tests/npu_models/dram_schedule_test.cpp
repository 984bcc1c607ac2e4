// SPDX-License-Identifier: Apache-2.0
// The closed form of a descriptor against a memory that steps bursts, and against times worked out
// by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "npu_models/modules/dram_schedule.h"

namespace npusim::npu::model {
namespace {

using Picos = DramSchedule::Picos;

/// One byte a cycle and channel, 1000 time units a cycle.
DramSpec spec_of(const DramTiming& timing, std::int64_t latency_cycles = 10) {
  DramSpec spec;
  spec.bandwidth_bytes_per_cycle = static_cast<double>(timing.channels);
  spec.latency_cycles = latency_cycles;
  spec.timing = timing;
  return spec;
}

DramTiming plain() {
  DramTiming timing;
  timing.burst_bytes = 8;
  timing.row_bytes = 64;
  timing.banks = 4;
  timing.row_miss = 20'000;
  return timing;
}

TEST(DramSchedule, WithoutTimingItIsBandwidthAndLatency) {
  DramSpec spec;
  spec.bandwidth_bytes_per_cycle = 4;
  spec.latency_cycles = 10;
  DramSchedule dram(spec);
  EXPECT_EQ(dram.serve(0, false, 0, 400).end, 110'000);
  EXPECT_EQ(dram.serve(50'000, true, 7, 4).start, 110'000);
  EXPECT_EQ(dram.counters().row_misses, 0);
}

TEST(DramSchedule, RowsOpenOnceAndAreHitUntilTheirBankTakesAnother) {
  DramSchedule dram(spec_of(plain()));
  // latency 10, opening 20, 64 bytes
  EXPECT_EQ(dram.serve(0, false, 0, 64).end, 94'000);
  // the same row: only its bytes
  EXPECT_EQ(dram.serve(84'000, false, 32, 32).end, 94'000 + 32'000);
  // row 4 lies in the same bank: the opening waits for the transfer before
  EXPECT_EQ(dram.serve(90'000, false, 256, 8).end, 126'000 + 20'000 + 8'000);
  // row 1 in another bank, asked for early: it opened meanwhile
  EXPECT_EQ(dram.serve(100'000, false, 64, 8).end, 154'000 + 8'000);
  EXPECT_EQ(dram.counters().row_hits, 1);
  EXPECT_EQ(dram.counters().row_misses, 3);
}

TEST(DramSchedule, WholeBurstsMoveAndTheLongestShareCounts) {
  DramTiming timing = plain();
  timing.channels = 4;
  timing.row_miss = 0;
  DramSchedule dram(spec_of(timing, 0));
  EXPECT_EQ(dram.serve(0, false, 7, 2).end, 8'000);                // two bursts, side by side
  EXPECT_EQ(dram.serve(8'000, false, 0, 40).end, 8'000 + 16'000);  // five bursts: two in a channel
}

TEST(DramSchedule, TurningCostsOnlyAfterTheOtherDirection) {
  DramTiming timing = plain();
  timing.row_miss = 0;
  timing.read_to_write = 3'000;
  timing.write_to_read = 5'000;
  DramSchedule dram(spec_of(timing, 0));
  EXPECT_EQ(dram.serve(0, true, 0, 8).end, 8'000);
  EXPECT_EQ(dram.serve(0, true, 8, 8).end, 16'000);
  EXPECT_EQ(dram.serve(0, false, 16, 8).end, 16'000 + 5'000 + 8'000);
  EXPECT_EQ(dram.serve(0, true, 24, 8).end, 29'000 + 3'000 + 8'000);
  EXPECT_EQ(dram.counters().turnarounds, 2);
}

TEST(DramSchedule, ARefreshCutsADescriptorAndClosesItsRows) {
  DramTiming timing = plain();
  timing.row_bytes = 4096;
  timing.refresh_interval = 100'000;
  timing.refresh = 30'000;
  DramSchedule dram(spec_of(timing, 0));
  // opening 20, 80 bytes until 100; 130 + 20 opening; 50 until 200; 250; 30 more
  EXPECT_EQ(dram.serve(0, false, 0, 160).end, 280'000);
  EXPECT_EQ(dram.counters().refreshes, 2);
  // held up by the refresh at 300, which also closed the row
  EXPECT_EQ(dram.serve(305'000, false, 160, 8).end, 330'000 + 20'000 + 8'000);
  EXPECT_EQ(dram.counters().refreshes, 3);
}

/// The rules one row and one round of bursts at a time, with a map of what is open.
class SteppedDram {
 public:
  explicit SteppedDram(const DramSpec& spec) : spec_(spec), t_(*spec.timing) {}

  Picos serve(Picos requested, bool write, std::int64_t address, std::int64_t bytes) {
    const Picos ready = requested + spec_.latency_cycles * 1000;
    Picos now = free_at_;
    if (any_ && write != write_) now += write ? t_.read_to_write : t_.write_to_read;
    now = std::max(now, ready);
    const std::int64_t span = t_.row_bytes * t_.channels;
    for (std::int64_t row = address / span; row <= (address + bytes - 1) / span; ++row) {
      now = open(row, row == address / span, now, ready);
      last_bank_ = row % t_.banks;
    }
    const std::int64_t last_burst = (address + bytes - 1) / t_.burst_bytes;
    for (std::int64_t burst = address / t_.burst_bytes; burst <= last_burst; burst += t_.channels)
      now += t_.burst_bytes * 1000;
    any_ = true;
    write_ = write;
    return free_at_ = now;
  }
  std::int64_t misses = 0;

 private:
  Picos open(std::int64_t row, bool first, Picos now, Picos ready) {
    const std::int64_t bank = row % t_.banks;
    const auto found = opened_.find(bank);
    if (found != opened_.end() && found->second == row) return now;
    opened_[bank] = row;
    ++misses;
    if (first) return bank == last_bank_ ? now + t_.row_miss : std::max(now, ready + t_.row_miss);
    if (t_.banks == 1) return now + t_.row_miss;
    return now + std::max<Picos>(0, t_.row_miss - t_.row_bytes * 1000);
  }

  DramSpec spec_;
  DramTiming t_;
  Picos free_at_ = 0;
  bool any_ = false, write_ = false;
  std::int64_t last_bank_ = -1;
  std::map<std::int64_t, std::int64_t> opened_;
};

DramTiming random_timing(std::mt19937_64& random) {
  const auto any = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  DramTiming timing;
  timing.channels = any(1, 4);
  timing.burst_bytes = std::int64_t{8} << any(0, 3);
  timing.row_bytes = timing.burst_bytes * any(1, 32);
  timing.banks = any(1, 8);
  timing.row_miss = any(0, 60) * 1000;
  timing.read_to_write = any(0, 20) * 1000;
  timing.write_to_read = any(0, 20) * 1000;
  return timing;
}

TEST(DramSchedule, EqualsSteppedRowsAndBurstsOnRandomDescriptors) {
  std::mt19937_64 random(1);
  for (int run = 0; run < 500; ++run) {
    const DramTiming timing = random_timing(random);
    SteppedDram stepped(spec_of(timing));
    DramSchedule dram(spec_of(timing));
    Picos requested = 0;
    for (int i = 0; i < 40; ++i) {
      requested += static_cast<Picos>(random() % 400'000);
      const bool write = random() % 2 == 0;
      const auto address = static_cast<std::int64_t>(random() % 4096);
      const auto bytes = static_cast<std::int64_t>(1 + random() % 3000);
      const Picos wanted = stepped.serve(requested, write, address, bytes);
      const auto got = dram.serve(requested, write, static_cast<std::uint64_t>(address), bytes);
      ASSERT_EQ(got.end, wanted) << "run " << run << " descriptor " << i;
    }
    ASSERT_EQ(dram.counters().row_misses, stepped.misses) << "run " << run;
  }
}

TEST(DramSchedule, RefreshesFallWhereASteppedClockMeetsThem) {
  std::mt19937_64 random(2);
  for (int run = 0; run < 500; ++run) {
    DramTiming timing = plain();
    timing.row_bytes = std::int64_t{1} << 20;
    timing.refresh = static_cast<Picos>(1 + random() % 50) * 1000;
    timing.refresh_interval =
        timing.refresh + timing.row_miss + static_cast<Picos>(1 + random() % 300) * 1000;
    const auto bytes = static_cast<std::int64_t>(8 * (1 + random() % 500));
    Picos clock = 20'000;  // the first row is open
    std::int64_t refreshes = 0;
    const auto in_stop = [&] {
      const Picos into = clock % timing.refresh_interval;
      return clock >= timing.refresh_interval && into < timing.refresh + timing.row_miss;
    };
    for (std::int64_t left = bytes; left > 0;) {
      refreshes += clock >= timing.refresh_interval && clock % timing.refresh_interval == 0 ? 1 : 0;
      left -= in_stop() ? 0 : 1;
      clock += 1000;
    }
    DramSchedule dram(spec_of(timing, 0));
    ASSERT_EQ(dram.serve(0, false, 0, bytes).end, clock) << "run " << run;
    ASSERT_EQ(dram.counters().refreshes, refreshes) << "run " << run;
  }
}

}  // namespace
}  // namespace npusim::npu::model
