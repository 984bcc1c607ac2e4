// SPDX-License-Identifier: Apache-2.0
// What rows, refresh and turning of DRAM do to a whole run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "npu_models/npu_file.h"
#include "tests/npu_models/support.h"
#include "tests/npu_models/timing_support.h"

namespace npusim::npu {
namespace {

using testing::expect_every_cycle_has_a_cause;
using testing::GemmCase;
using testing::run;
using testing::single_gemm;
using testing::tiny_npu;

MappedGraph memory_bound_product() {
  GemmCase gemm;
  gemm.m = gemm.n = gemm.k = 512;
  gemm.tile_m = gemm.tile_n = gemm.tile_k = 64;
  return single_gemm(gemm);
}

NpuSpec slow_memory() {
  NpuSpec npu = tiny_npu();
  npu.mac_array.rows = npu.mac_array.cols = 64;
  npu.dram.latency_cycles = 40;
  return npu;
}

TEST(TimingDram, TimingThatCostsNothingChangesNothing) {
  const MappedGraph mapped = memory_bound_product();
  NpuSpec npu = slow_memory();
  const TimingResult plain = run(npu, mapped);
  npu.dram.timing = DramTiming{};
  const TimingResult timed = run(npu, mapped);
  EXPECT_EQ(timed.cycles, plain.cycles);
  EXPECT_EQ(timed.stall_cycles, plain.stall_cycles);
  EXPECT_TRUE(plain.dram_events.empty());
  EXPECT_GT(timed.dram_events.at("row_misses"), 0);
}

TEST(TimingDram, EachPartCostsTimeAndEveryCycleKeepsItsCause) {
  const MappedGraph mapped = memory_bound_product();
  NpuSpec npu = slow_memory();
  npu.dram.timing = DramTiming{};
  const std::int64_t without = run(npu, mapped).cycles;
  const auto with = [&](const auto& change) {
    NpuSpec changed = npu;
    change(*changed.dram.timing);
    const TimingResult result = run(changed, mapped);
    expect_every_cycle_has_a_cause(result);
    return result;
  };
  const TimingResult rows = with([](DramTiming& t) { t.row_miss = 200'000; });
  EXPECT_GT(rows.cycles, without);
  const TimingResult refresh = with([](DramTiming& t) {
    t.refresh_interval = 4'000'000;
    t.refresh = 400'000;
  });
  // a tenth of the time goes to refreshes while the bus is the bound
  EXPECT_NEAR(static_cast<double>(refresh.cycles), static_cast<double>(without) / 0.9,
              0.03 * static_cast<double>(without));
  EXPECT_NEAR(static_cast<double>(refresh.dram_events.at("refreshes")),
              static_cast<double>(refresh.cycles) / 4000.0, 3.0);
  const TimingResult turning = with([](DramTiming& t) {
    t.read_to_write = 30'000;
    t.write_to_read = 30'000;
  });
  EXPECT_GT(turning.cycles, without);
  EXPECT_LE(turning.cycles - without, turning.dram_events.at("turnarounds") * 30);
}

std::string mistakes_of(const std::string& timing) {
  const std::string file = testing::edited_copy(
      testing::shipped_npu("systolic128_bf16"),
      {{"\"latency_ns\": 500,", "\"latency_ns\": 500, \"timing\": " + timing + ","}});
  std::string text;
  for (const base::Diagnostic& mistake : testing::mistakes_of_npu(file))
    text += mistake.pointer + ": " + mistake.message + "\n";
  return text;
}

TEST(TimingDram, TheFileIsReadStrictly) {
  using ::testing::HasSubstr;
  EXPECT_EQ(mistakes_of(R"({"row_bytes": 1024, "banks": 16, "row_miss_ns": 30})"), "");
  EXPECT_THAT(mistakes_of(R"({"row_bytes": 1000, "banks": 16, "row_miss_ns": 30})"),
              HasSubstr("/dram/timing: a row of 1000 bytes is no whole number of bursts of 64"));
  EXPECT_THAT(mistakes_of(R"({"row_bytes": 1024, "banks": 16, "row_miss_ns": 30,
                              "refresh_interval_ns": 300, "refresh_ns": 280})"),
              HasSubstr("leave nothing of refresh_interval_ns"));
  EXPECT_THAT(mistakes_of(R"({"row_bytes": 1024, "banks": 0, "row_miss_ns": 30})"),
              HasSubstr("/dram/timing/banks"));
}

}  // namespace
}  // namespace npusim::npu
