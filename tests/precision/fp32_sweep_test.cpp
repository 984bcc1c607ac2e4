// SPDX-License-Identifier: Apache-2.0
// Every 4093rd binary32 number; all of them in fp32_sweep_exhaustive_test.cpp.
#include "fp32_sweep.h"

#include <gtest/gtest.h>

namespace npusim::precision {
namespace {

constexpr std::uint64_t kStride = 4093;
constexpr long kInputs = static_cast<long>((std::uint64_t{1} << 32) / kStride);

class Fp32Sweep : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Formats, Fp32Sweep,
                         testing::Values("fp16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp8_e4m3fnuz",
                                         "fp8_e5m2fnuz", "e8m0", "int8", "mxint8_element"),
                         [](const auto& name) { return std::string(name.param); });

TEST_P(Fp32Sweep, StridedInEveryModeEqualsTheIntegerReference) {
  const auto wrong = fp32_sweep::against_reference(format_from_name(GetParam()), kStride);
  EXPECT_EQ(wrong.count(), 0) << wrong.first();
  EXPECT_GE(wrong.seen(), 6 * kInputs);
}

TEST_P(Fp32Sweep, StridedStochasticEqualsTheIntegerReference) {
  const auto wrong =
      fp32_sweep::stochastic_against_reference(format_from_name(GetParam()), 8 * kStride + 1);
  EXPECT_EQ(wrong.count(), 0) << wrong.first();
}

TEST(Fp32SweepHardware, StridedToFp16EqualsF16cInItsFourModes) {
  if (!fp32_sweep::has_f16c()) GTEST_SKIP() << "this CPU has no F16C";
  const auto wrong = fp32_sweep::against_f16c(kStride);
  EXPECT_EQ(wrong.count(), 0) << wrong.first();
  EXPECT_GE(wrong.seen(), 4 * kInputs);
}

}  // namespace
}  // namespace npusim::precision
