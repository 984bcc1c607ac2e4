// SPDX-License-Identifier: Apache-2.0
// DMA channels, widths, bursts and set-up: the closed form of dma_rate.h against stepped bursts,
// the SystemC module against stepped descriptors, whole runs against what they must conserve.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/isolated.h"
#include "npu_models/dma_rate.h"
#include "npu_models/modules/dma.h"
#include "npu_models/modules/dram.h"
#include "npu_models/modules/simulation.h"
#include "tests/npu_models/random.h"
#include "tests/npu_models/support.h"
#include "tests/npu_models/timing_support.h"

namespace npusim::npu {
namespace {

using testing::GemmCase;
using testing::Random;
using testing::run;
using testing::single_gemm;
using testing::tiny_npu;

/// Arrival of each of n bursts of one channel after its descriptor's start, one by one.
std::vector<std::int64_t> stepped_bursts(std::int64_t n, std::int64_t burst, std::int64_t latency,
                                         std::int64_t window) {
  std::vector<std::int64_t> arrivals;
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t at = (i == 0 ? 0 : arrivals.back()) + burst;
    if (window > 0 && i >= window)  // asked for when the window-th before it has arrived
      at = std::max(at, arrivals[static_cast<std::size_t>(i - window)] + latency + burst);
    arrivals.push_back(at);
  }
  return arrivals;
}

/// DRAM of 8 bytes a cycle and bursts of 16: whole cycles everywhere.
NpuSpec whole_cycles(Random& random) {
  NpuSpec npu = tiny_npu();
  npu.dram.bandwidth_bytes_per_cycle = 8.0;
  npu.dram.latency_cycles = random.in(0, 30);
  DmaSpec dma;
  dma.channels = random.in(1, 4);
  dma.width_bytes = random.of<std::int64_t>({4, 8, 16});
  dma.burst_bytes = 16;
  dma.descriptor_cycles = random.in(0, 12);
  dma.outstanding = random.in(0, 5);
  npu.dma = dma;
  return npu;
}

std::int64_t cycles_of_burst(const DmaSpec& dma) {
  return dma.burst_bytes / std::min<std::int64_t>(dma.width_bytes, 8);
}

TEST(DmaRate, StreamEqualsSteppedBursts) {
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    const NpuSpec npu = whole_cycles(random);
    const std::int64_t n = random.in(1, 40);
    const DmaRate rate(*npu.dma, npu.dram);
    EXPECT_EQ(rate.stream(n), 1000 * stepped_bursts(n, cycles_of_burst(*npu.dma),
                                                    npu.dram.latency_cycles, npu.dma->outstanding)
                                         .back());
  }
}

TEST(DmaRate, OutstandingBurstsOverLatencyLimitAChannel) {
  NpuSpec npu = tiny_npu();  // 16 bytes a cycle
  npu.dram.latency_cycles = 60;
  npu.dma = DmaSpec{2, 64, 64, 0, 4};
  // four bursts of 64 bytes every 60 + 4 cycles, two channels
  EXPECT_DOUBLE_EQ(DmaRate(*npu.dma, npu.dram).bytes_per_cycle(), 4.0);
  EXPECT_DOUBLE_EQ(dma_bytes_per_cycle(npu), 8.0);
  npu.dma->outstanding = 0;
  EXPECT_DOUBLE_EQ(dma_bytes_per_cycle(npu), 16.0);
}

TEST(DmaRate, BurstsAreWholeAndAligned) {
  const BurstRange range = bursts_of(64, 100, 60);  // bytes 100..159 lie in 64..191
  EXPECT_EQ(range.address, 64U);
  EXPECT_EQ(range.bytes, 128);
  EXPECT_EQ(range.bursts, 2);
  EXPECT_EQ(bursts_of(64, 128, 64).bursts, 1);
}

}  // namespace

namespace model {
namespace {

struct Descriptor {
  std::int64_t pushed_at;  ///< cycle
  std::uint64_t address;
  std::int64_t bytes;
};

/// The rules, descriptor by descriptor and burst by burst, in whole cycles.
std::vector<std::int64_t> stepped_ends(const NpuSpec& npu, const std::vector<Descriptor>& list) {
  const DmaSpec& dma = *npu.dma;
  std::vector<std::int64_t> free(static_cast<std::size_t>(dma.channels), 0), ends;
  std::int64_t requested = 0, bus = 0;
  for (const Descriptor& d : list) {
    std::size_t channel = 0;
    for (std::size_t c = 1; c < free.size(); ++c)
      if (free[c] < free[channel]) channel = c;
    requested = std::max({free[channel], d.pushed_at, requested}) + dma.descriptor_cycles;
    std::int64_t bursts = 0;
    for (std::uint64_t at = d.address / 16 * 16;
         at < d.address + static_cast<std::uint64_t>(d.bytes); at += 16)
      ++bursts;
    const std::int64_t start = std::max(requested + npu.dram.latency_cycles, bus);
    bus = start + 2 * bursts;
    const std::int64_t streamed = start + stepped_bursts(bursts, cycles_of_burst(dma),
                                                         npu.dram.latency_cycles, dma.outstanding)
                                              .back();
    free[channel] = std::max(bus, streamed);
    ends.push_back(ends.empty() ? free[channel] : std::max(ends.back(), free[channel]));
  }
  return ends;
}

/// Pushes descriptors at their time and notes when each completes.
class Driver : public sc_core::sc_module {
 public:
  std::vector<std::int64_t> ends;

  SC_HAS_PROCESS(Driver);
  Driver(const sc_core::sc_module_name& name, Dma& dma, const std::vector<Descriptor>& list)
      : sc_core::sc_module(name), dma_(dma), list_(list) {
    SC_THREAD(push);
    SC_THREAD(watch);
  }

 private:
  void push() {
    for (const Descriptor& d : list_) {
      wait_until(picos_of(d.pushed_at));
      DmaCommand command;
      command.op = 0;
      command.address = d.address;
      command.bytes = d.bytes;
      dma_.queue.push(command);
    }
  }
  void watch() {
    for (std::uint64_t i = 1; i <= list_.size(); ++i) {
      wait_until(dma_.progress.end_of(i));
      ends.push_back(floor_cycle(now_picos()));
    }
  }

  Dma& dma_;
  std::vector<Descriptor> list_;
};

std::string ends_of_module(const NpuSpec& npu, const std::vector<Descriptor>& list) {
  Ledger ledger(1, 1);
  Scratchpad scratchpad("scratchpad", npu.scratchpad);
  Dma dma("dma", false, npu, scratchpad, ledger);
  Dram dram("dram", npu.dram);
  dma.socket.bind(dram.socket);
  Driver driver("driver", dma, list);
  sc_core::sc_start();
  std::string text;
  for (const std::int64_t end : driver.ends) text += std::to_string(end) + " ";
  const OpRecord& record = ledger.record(0);
  return text + "moved " + std::to_string(record.read_bytes + record.padding_bytes) + " in " +
         std::to_string(record.bursts);
}

TEST(DmaModule, EqualsSteppedDescriptors) {
  Random random(7);
  std::vector<NpuSpec> npus;
  std::vector<std::vector<Descriptor>> lists;
  std::vector<std::string> wanted;
  for (int i = 0; i < 60; ++i) {
    npus.push_back(whole_cycles(random));
    std::vector<Descriptor> list;
    std::int64_t now = 0;
    for (std::int64_t d = random.in(1, 40); d > 0; --d) {
      now += random.of<std::int64_t>({0, 0, 0, 5, 60});
      list.push_back({now, static_cast<std::uint64_t>(random.in(0, 500)), random.in(1, 300)});
    }
    std::string text;
    for (const std::int64_t end : stepped_ends(npus.back(), list))
      text += std::to_string(end) + " ";
    std::int64_t bursts = 0;
    for (const Descriptor& d : list) bursts += bursts_of(16, d.address, d.bytes).bursts;
    wanted.push_back(text + "moved " + std::to_string(16 * bursts) + " in " +
                     std::to_string(bursts));
    lists.push_back(std::move(list));
  }
  const auto outcomes = base::run_isolated(
      npus.size(), 2, [&](std::size_t i) { return ends_of_module(npus[i], lists[i]); });
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    ASSERT_TRUE(outcomes[i].ok) << outcomes[i].error;
    EXPECT_EQ(outcomes[i].payload, wanted[i]) << "case " << i;
  }
}

}  // namespace
}  // namespace model

namespace {

TEST(TimingDma, OneThatLimitsNothingChangesNothing) {
  GemmCase gemm;
  gemm.m = 12;
  NpuSpec npu = tiny_npu();  // tiles of 32 bytes take 2 cycles
  const TimingResult without = run(npu, single_gemm(gemm));
  npu.dma = DmaSpec{8, 1024, 32, 0, 0};
  const TimingResult with = run(npu, single_gemm(gemm));
  EXPECT_EQ(with.cycles, without.cycles);
  EXPECT_EQ(with.stall_cycles, without.stall_cycles);
  EXPECT_TRUE(without.dma_events.empty());
  EXPECT_EQ(with.dma_events.at("descriptors"), 7);
  EXPECT_EQ(with.dma_events.at("bursts"), 7);
  EXPECT_EQ(with.dma_events.at("padding_bytes"), 0);
}

TEST(TimingDma, OneChannelShowsSetUpAndLatencyOfEveryDescriptor) {
  NpuSpec npu = tiny_npu();
  npu.dram.latency_cycles = 10;
  npu.dma = DmaSpec{1, 16, 32, 3, 0};
  // stationary: set up 0..3, moves 13..15; streamed: 15..18, 28..30; array 30..44; result 44..47,
  // 57..59
  const TimingResult one = run(npu, single_gemm({}));
  EXPECT_EQ(one.cycles, 59);
  EXPECT_EQ(one.stall_cycles.at("load"), 4);
  EXPECT_EQ(one.stall_cycles.at("store"), 2);
  EXPECT_EQ(one.stall_cycles.at("launch"), 13 + 13 + 13);
  testing::expect_every_cycle_has_a_cause(one);
  // with two, the second is set up 3..6 and moves 16..18
  npu.dma->channels = 2;
  EXPECT_EQ(run(npu, single_gemm({})).cycles, 47);
  // half as wide: 13..17 and 16..20, the result 20 + 14 + 13 .. + 4
  npu.dma->width_bytes = 8;
  EXPECT_EQ(run(npu, single_gemm({})).cycles, 51);
}

TEST(TimingDma, ChannelsShareTheBandwidthOfDram) {
  GemmCase gemm;
  gemm.m = 256;
  gemm.tile_m = 16;
  NpuSpec npu = tiny_npu();
  npu.dram.bandwidth_bytes_per_cycle = 2.0;
  npu.dma = DmaSpec{4, 2, 32, 0, 0};
  const TimingResult four = run(npu, single_gemm(gemm));
  // operands 256 * 4 + 4 * 4 and results 256 * 4, of 2 bytes
  EXPECT_EQ(four.dram_bytes, 2 * (1024 + 16 + 1024));
  EXPECT_GE(four.cycles, four.dram_bytes / 2);
  EXPECT_LE(four.cycles, four.dram_bytes / 2 + 200);
  EXPECT_EQ(four.dma_busy_cycles, four.dram_bytes / 2);
}

TEST(TimingDma, BytesAndCyclesAreConservedWhateverTheChannels) {
  Random random(11);
  for (int i = 0; i < 40; ++i) {
    SCOPED_TRACE("case " + std::to_string(i));
    NpuSpec npu = tiny_npu();
    npu.dram.bandwidth_bytes_per_cycle = static_cast<double>(random.in(2, 40)) / 3.0;
    npu.dram.latency_cycles = random.in(0, 30);
    npu.dma = DmaSpec{random.in(1, 4), random.in(1, 32), random.of<std::int64_t>({8, 32, 64}),
                      random.in(0, 9), random.in(0, 4)};
    GemmCase gemm;
    gemm.m = random.in(1, 40);
    gemm.n = random.in(1, 20);
    gemm.k = random.in(2, 30);
    gemm.tile_m = random.in(1, gemm.m);
    gemm.tile_n = random.in(1, gemm.n);
    gemm.tile_k = random.in(1, gemm.k - 1);
    if (random.flip()) {
      gemm.order = LoopOrder::weight_resident;
      gemm.spills = true;
    }
    const MappedGraph mapped = single_gemm(gemm);
    const TimingResult result = run(npu, mapped);
    testing::expect_every_cycle_has_a_cause(result);
    EXPECT_EQ(result.dram_bytes, gemm_traffic(*mapped.ops.front().gemm, {}).total_bytes());
    EXPECT_EQ(result.dma_events.at("bursts") * npu.dma->burst_bytes,
              result.dram_bytes + result.dma_events.at("padding_bytes"));
  }
}

std::string mistakes_of(const std::string& dma) {
  std::string text;
  try {
    testing::load_shipped("systolic128_bf16", {"dma=" + dma});
  } catch (const base::InputError& error) {
    for (const base::Diagnostic& at : error.diagnostics()) text += base::to_string(at) + "\n";
  }
  return text;
}

TEST(TimingDma, TheFileIsReadStrictly) {
  using ::testing::HasSubstr;
  EXPECT_EQ(mistakes_of(R"({"channels": 2, "width_bytes": 64, "outstanding": 8})"), "");
  EXPECT_THAT(mistakes_of(R"({"width_bytes": 0})"), HasSubstr("/dma/width_bytes"));
  EXPECT_THAT(mistakes_of(R"({"width_bytes": 64, "bursts": 1})"), HasSubstr("/dma/bursts"));
  EXPECT_THAT(mistakes_of(R"({"channels": 2})"), HasSubstr("width_bytes"));
}

}  // namespace
}  // namespace npusim::npu
