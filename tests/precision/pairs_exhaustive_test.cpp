// SPDX-License-Identifier: Apache-2.0
// Fused sums of all pairs with every eleventh c (every c of the six-bit and narrower formats), with
// and without flushing.
#include <gtest/gtest.h>

#include "pairs.h"

namespace npusim::precision {
namespace {

class Exhaustive : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Formats, Exhaustive,
                         testing::Values("fp8_e4m3", "fp8_e5m2", "fp8_e4m3fnuz", "fp8_e5m2fnuz",
                                         "fp6_e3m2", "fp6_e2m3", "fp4_e2m1", "int8", "int4"),
                         [](const auto& name) { return std::string(name.param); });

TEST_P(Exhaustive, FusedSumsOfAllPairsInEveryMode) {
  const Format operand = format_from_name(GetParam());
  std::vector<Format> results = {operand};
  if (!operand.is_fixed_point()) {
    results.push_back(operand);
    results.back().subnormals = Subnormals::flush_tiny_after;
  }
  for (const Format& result : results) {
    const rules::Disagreements wrong = pairs::compare(operand, result, operand.bits() > 6 ? 11 : 1);
    EXPECT_EQ(wrong.count(), 0) << wrong.first();
  }
}

}  // namespace
}  // namespace npusim::precision
