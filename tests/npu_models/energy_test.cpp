// SPDX-License-Identifier: Apache-2.0
#include "npu_models/energy.h"

#include <gtest/gtest.h>

#include "npu_models/npu_file.h"
#include "support.h"

namespace npusim::npu {
namespace {

double mac_of(const char* npu, const char* input, const char* accumulator) {
  const NpuSpec spec = testing::load_shipped(npu);
  return mac_pj(spec.energy, unit_of(spec, precision::format_from_name(input),
                                     precision::format_from_name(accumulator)));
}

TEST(Energy, ChainsCostAMultiplicationAndAnAddition) {
  EXPECT_DOUBLE_EQ(mac_of("systolic128_bf16", "bf16", "fp32"), 0.21 + 0.38);
}

TEST(Energy, TreesCostFifteenSixteenthsOfAnAdditionAndTheAccumulatorOne) {
  EXPECT_DOUBLE_EQ(mac_of("cube16_fp16", "fp16", "fp32"), 0.34 + 0.38 * 15 / 16 + 0.38 / 16);
  EXPECT_DOUBLE_EQ(mac_of("cube16_fp16", "fp16", "fp16"), 0.34 + 0.16 * 15 / 16 + 0.16 / 16);
  EXPECT_DOUBLE_EQ(mac_of("nvdla_fp16", "fp16", "fp32"), 0.34 + 0.38 * 63 / 64 + 0.38 / 64);
}

TEST(Energy, OtherFormatsScaleFromTheNextWiderOneOfTheTable) {
  const EnergySpec none;
  const precision::Format e4m3 = precision::format_from_name("e4m3");    // 4 bits: from bf16 (8)
  const precision::Format e8m9 = precision::format_from_name("e8m9");    // 10 bits: from fp16 (11)
  const precision::Format e8m11 = precision::format_from_name("e8m11");  // 12 bits: from fp32 (24)
  EXPECT_DOUBLE_EQ(multiply_pj(none, e4m3), 0.21 / 4);
  EXPECT_DOUBLE_EQ(add_pj(none, e4m3), 0.11 / 2);
  EXPECT_DOUBLE_EQ(multiply_pj(none, e8m9), 0.34 * 100 / 121);
  EXPECT_DOUBLE_EQ(add_pj(none, e8m9), 0.16 * 10 / 11);
  EXPECT_DOUBLE_EQ(multiply_pj(none, e8m11), 1.31 / 4);
  EXPECT_DOUBLE_EQ(add_pj(none, precision::fp64()), 0.38 * 53 / 24);
}

TEST(Energy, ConfiguredFiguresWin) {
  const NpuSpec npu = testing::load_shipped(
      "systolic128_bf16", {"energy.add_pj={\"fp32\":1.5}", "energy.dram_pj_per_byte=7"});
  EXPECT_DOUBLE_EQ(add_pj(npu.energy, precision::fp32()), 1.5);
  EXPECT_DOUBLE_EQ(add_pj(npu.energy, precision::fp16()), 0.16);
  EXPECT_DOUBLE_EQ(npu.energy.dram_pj_per_byte, 7.0);
  EXPECT_DOUBLE_EQ(npu.energy.scratchpad_pj_per_byte, 1.75);
}

TEST(Energy, The45NmColumnIsAnOptionAsAWhole) {
  const NpuSpec npu = testing::load_shipped("cube16_fp16", {"energy={\"table\": \"45nm\"}"});
  EXPECT_DOUBLE_EQ(multiply_pj(npu.energy, precision::fp16()), 1.1);
  EXPECT_DOUBLE_EQ(add_pj(npu.energy, precision::fp32()), 0.9);
  EXPECT_DOUBLE_EQ(multiply_pj(npu.energy, precision::bf16()), 1.1 * 64 / 121);  // no row: scaled
  EXPECT_DOUBLE_EQ(npu.energy.scratchpad_pj_per_byte, 12.5);
  EXPECT_DOUBLE_EQ(npu.energy.accumulator_pj_per_byte, 2.5);
  EXPECT_DOUBLE_EQ(npu.energy.dram_pj_per_byte, 162.5);
}

}  // namespace
}  // namespace npusim::npu
