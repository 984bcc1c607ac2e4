// SPDX-License-Identifier: Apache-2.0
// All 2^32 binary32 numbers to every 16-bit and 8-bit format in every deterministic mode, and every
// 61st with random words.
#include <gtest/gtest.h>

#include "fp32_sweep.h"

namespace npusim::precision {
namespace {

class Fp32Exhaustive : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Formats, Fp32Exhaustive,
                         testing::Values("fp16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp8_e4m3fnuz",
                                         "fp8_e5m2fnuz", "e8m0", "int8", "mxint8_element"),
                         [](const auto& name) { return std::string(name.param); });

TEST_P(Fp32Exhaustive, AllInputsInEveryModeEqualTheIntegerReference) {
  const auto wrong = fp32_sweep::against_reference(format_from_name(GetParam()), 1);
  EXPECT_EQ(wrong.count(), 0) << wrong.first();
  EXPECT_EQ(wrong.seen(), 6L << 32);
}

TEST_P(Fp32Exhaustive, StochasticEqualsTheIntegerReference) {
  const auto wrong = fp32_sweep::stochastic_against_reference(format_from_name(GetParam()), 61);
  EXPECT_EQ(wrong.count(), 0) << wrong.first();
}

TEST(Fp32ExhaustiveHardware, AllInputsToFp16EqualF16cInItsFourModes) {
  if (!fp32_sweep::has_f16c()) GTEST_SKIP() << "this CPU has no F16C";
  const auto wrong = fp32_sweep::against_f16c(1);
  EXPECT_EQ(wrong.count(), 0) << wrong.first();
  EXPECT_EQ(wrong.seen(), 4L << 32);
}

}  // namespace
}  // namespace npusim::precision
