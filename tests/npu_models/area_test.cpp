// SPDX-License-Identifier: Apache-2.0
#include "npu_models/area.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/npu_models/support.h"

namespace npusim::npu {
namespace {

using ::testing::HasSubstr;

/// A 4 x 8 array of two operand formats, 16 KiB of scratchpad, 4 KiB of accumulators, 4 lanes.
NpuSpec load(const std::string& area) {
  return testing::load_shipped(
      "systolic128_bf16",
      {"mac_array.rows=4", "mac_array.cols=8", "mac_array.arrays=2",
       "mac_array.inputs=[{\"format\": \"bf16\", \"macs_per_pe_per_cycle\": 1}, "
       "{\"format\": \"fp8_e4m3\", \"macs_per_pe_per_cycle\": 2}]",
       "mac_array.accumulator.memory_kib=4", "scratchpad.kib=16", "vector_unit.lanes=4",
       "area=" + area});
}

TEST(Area, IsTheSumWorkedByHand) {
  const NpuSpec npu = load(R"({"mac_um2": {"bf16": {"fp32": 500}, "fp8_e4m3": {"fp32": 300}},
                               "sram_um2_per_kib": 1000, "accumulator_um2_per_kib": 3000,
                               "vector_lane_um2": 7000, "other_mm2": 0.25})");
  const Area area = area_of(npu).value();
  // Two FP8 products of 300 um2 are more than one BF16 product of 500; 2 arrays of 32 elements.
  EXPECT_DOUBLE_EQ(area.arrays_mm2, 64 * 600e-6);
  EXPECT_DOUBLE_EQ(area.memories_mm2, (16 * 1000 + 2 * 4 * 3000) * 1e-6);
  EXPECT_DOUBLE_EQ(area.vector_mm2, 4 * 7000e-6);
  EXPECT_DOUBLE_EQ(area.total_mm2(), 0.0384 + 0.04 + 0.028 + 0.25);
  EXPECT_EQ(area.status, FactStatus::assumed) << "overrides have no source";
}

TEST(Area, AccumulatorsAreSramUnlessStated) {
  const NpuSpec npu = load(
      R"({"mac_um2": {"bf16": {"fp32": 1}, "fp8_e4m3": {"fp32": 1}}, "sram_um2_per_kib": 10})");
  EXPECT_DOUBLE_EQ(area_of(npu)->memories_mm2, (16 + 8) * 10e-6);
}

TEST(Area, IsAbsentWithoutCoefficients) {
  EXPECT_FALSE(area_of(testing::load_shipped("systolic128_bf16")).has_value());
}

TEST(Area, EveryPairOfTheArrayNeedsACoefficient) {
  try {
    load(R"({"mac_um2": {"bf16": {"fp16": 500}, "fp17": {"fp32": 1}}, "sram_um2_per_kib": 1})");
    FAIL() << "accepted";
  } catch (const base::InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("fp17"));
  }
  try {
    load(R"({"mac_um2": {"bf16": {"fp16": 500}}, "sram_um2_per_kib": 1})");
    FAIL() << "accepted";
  } catch (const base::InputError& error) {
    std::string text;
    for (const base::Diagnostic& item : error.diagnostics()) text += base::to_string(item) + "\n";
    EXPECT_THAT(text, HasSubstr("no area for bf16 summed in fp32"));
    EXPECT_THAT(text, HasSubstr("no area for fp8_e4m3 summed in fp32"));
  }
}

}  // namespace
}  // namespace npusim::npu
